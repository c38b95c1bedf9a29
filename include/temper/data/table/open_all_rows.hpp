// SPDX-License-Identifier: MIT
// Opens every kind of row file that temper reads, by its name: .parquet, and rows of text (JSONL, JSON, CSV, TSV), also
// compressed (.gz, .zst). Needs the component tables. Give it to load_rows.
#pragma once
#include "temper/data/open_rows.hpp"
#include "temper/data/table/compressed_bytes.hpp"
#include "temper/data/table/parquet.hpp"

#include <memory>
#include <span>
#include <string>

namespace temper {

inline std::unique_ptr<RowSource> open_all_rows(const std::filesystem::path& path,
                                                std::span<const std::string> wanted) {
  const std::string extension = path.extension().string();
  if (extension == ".parquet") return std::make_unique<ParquetRows>(std::make_unique<FileAccess>(path), path, wanted);
  auto bytes = std::make_unique<FileBytes>(path);
  if (extension == ".gz") return open_row_text(std::make_unique<GzipBytes>(std::move(bytes), path), path, path.stem());
  if (extension == ".zst") return open_row_text(std::make_unique<ZstdBytes>(std::move(bytes), path), path, path.stem());
  return open_row_text(std::move(bytes), path, path);
}

}  // namespace temper
