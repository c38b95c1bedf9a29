// SPDX-License-Identifier: MIT
// Files compressed with gzip or zstd, read as what they hold, a block at a time: several members or frames one after
// the other too. A file that swells beyond reason is refused before it costs hours.
#pragma once
#include <zlib.h>
#include <zstd.h>

#include "temper/data/byte_source.hpp"

#include <memory>
#include <string>
#include <utility>

namespace temper {

// What comes out may be this many times what went in, beside a first allowance.
class SwellingLimit {
 public:
  void add(std::size_t in, std::size_t out, const std::filesystem::path& path) {
    in_ += in;
    out_ += out;
    require(out_ <= (std::size_t{1} << 28) + 1100 * in_, Fault::data, "rows.swelling",
            "{}: its first {} bytes decompress to more than {}; expected a file of rows", shown_path(path), in_, out_);
  }

 private:
  std::size_t in_ = 0, out_ = 0;
};

[[noreturn]] inline void fail_to_decompress(const std::filesystem::path& path, std::string_view what) {
  fail(Fault::data, "rows.decompress", "{}: {}; the file is damaged, or its name says another format than it has",
       shown_path(path), what);
}

class GzipBytes final : public ByteSource {
 public:
  explicit GzipBytes(std::unique_ptr<ByteSource> source, std::filesystem::path path)
      : source_(std::move(source)), path_(std::move(path)), block_(std::size_t{1} << 16, '\0') {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
  }
  ~GzipBytes() override { inflateEnd(&stream_); }

  std::size_t read(std::span<char> into) override {
    const std::size_t size = std::min<std::size_t>(into.size(), std::size_t{1} << 30);
    stream_.next_out = reinterpret_cast<Bytef*>(into.data());
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out == size) {
      if (stream_.avail_in == 0) {
        const std::size_t got = source_->read(block_);
        if (got == 0) {
          if (!between_) fail_to_decompress(path_, "the compressed data ends early");
          return 0;
        }
        stream_.next_in = reinterpret_cast<Bytef*>(block_.data());
        stream_.avail_in = static_cast<uInt>(got);
        limit_.add(got, 0, path_);
      }
      if (between_) {
        inflateReset(&stream_);
        between_ = false;
      }
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        between_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        fail_to_decompress(path_, "is not valid gzip");
      }
    }
    limit_.add(0, size - stream_.avail_out, path_);
    return size - stream_.avail_out;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::filesystem::path path_;
  std::string block_;
  z_stream stream_{};
  SwellingLimit limit_;
  bool between_ = true;  // two members
};

class ZstdBytes final : public ByteSource {
 public:
  explicit ZstdBytes(std::unique_ptr<ByteSource> source, std::filesystem::path path)
      : source_(std::move(source)), path_(std::move(path)), block_(std::size_t{1} << 16, '\0') {
    if (!stream_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);  // 128 MiB, zstd's own default
  }

  std::size_t read(std::span<char> into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !pending_) {
        const std::size_t got = source_->read(block_);
        if (got == 0) {
          if (!between_) fail_to_decompress(path_, "the compressed data ends early");
          return 0;
        }
        in_ = {block_.data(), got, 0};
        limit_.add(got, 0, path_);
      }
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(result) != 0) fail_to_decompress(path_, "is not valid zstd");
      between_ = result == 0;
      pending_ = out.pos == out.size && !between_;  // a frame that is done holds nothing back
    }
    limit_.add(0, out.pos, path_);
    return out.pos;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::filesystem::path path_;
  std::string block_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> stream_{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  SwellingLimit limit_;
  bool between_ = true;   // two frames
  bool pending_ = false;  // more may come out without more going in
};

}  // namespace temper
