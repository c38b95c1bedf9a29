// SPDX-License-Identifier: MIT
// reference.safetensors: the log-probability of each supervised token under the reference, float32 as it was computed.
// What a row's are does not depend on the rows beside it, so an epoch in another order reads the same bits.
#include <cmath>
#include <limits>

#include "format.hpp"
#include "row_cache.hpp"
#include "temper/io/hash.hpp"
#include "temper/io/safetensors_write.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;
using temper::Fault;

constexpr float unknown = std::numeric_limits<float>::quiet_NaN();  // of rows that the run does not come to

class ReferenceCache final : public RowCache {
 public:
  ReferenceCache(const Recipe& recipe, const RunData& data)
      : quantization_(recipe.resolved()["quantization"]),
        places_{RowPlaces(data.train()), RowPlaces(data.validation())} {}

  std::string_view file_name() const override { return "reference.safetensors"; }
  std::size_t bytes() const override {
    return static_cast<std::size_t>(places_[0].count() + places_[1].count()) * sizeof(float);
  }

  void after_start(Engine& engine, RunData& data, const fs::path& file, const Json& inputs,
                   Reporter& reporter) override {
    const std::string key = key_of(data, inputs);
    if (read_if_sound(file, reporter, "the reference is read again", [&] { read(file, key); })) return;
    for (const Split split : both_splits)
      values(split).assign(static_cast<std::size_t>(places(split).count()), unknown);
    std::vector<double> said;
    const bool whole = over_rows_once(data, [&](Split split, const temper::MicroBatch& batch) {
      engine.read_reference(batch.host(), said);
      auto from = said.begin();
      for (const Index row : batch.rows) {
        const Index count = places(split).end(row) - places(split).begin(row);
        std::transform(from, from + count, values(split).begin() + places(split).begin(row),
                       [](double value) { return static_cast<float>(value); });
        from += count;
      }
    });
    if (!whole) return;
    write(file, key);
    reporter.say(fmt::format("the reference has read the rows once: {} in {}", bytes_text(bytes()), file_name()));
  }

  temper::HostBatch host(const temper::MicroBatch& batch, Split split) override {
    temper::HostBatch host = batch.host();
    if (values(split).empty()) return host;
    buffer_.clear();
    for (const Index row : batch.rows)
      for (Index at = places(split).begin(row); at < places(split).end(row); ++at) {
        const float value = values(split)[static_cast<std::size_t>(at)];
        if (std::isnan(value)) return host;
        buffer_.push_back(static_cast<double>(value));
      }
    host.reference = buffer_;
    return host;
  }

 private:
  const RowPlaces& places(Split split) const { return places_[static_cast<std::size_t>(split)]; }
  std::vector<float>& values(Split split) { return values_[static_cast<std::size_t>(split)]; }

  // All that the numbers depend on.
  std::string key_of(const RunData& data, const Json& inputs) const {
    Json model = Json::object();
    for (const auto& [name, hash] : inputs.items())
      if (name.starts_with("model/")) model[name] = hash;
    return temper::sha256_of(
        Json{{"format", 1}, {"model", model}, {"quantization", quantization_}, {"rows", hash_of_rows(data)}}.dump());
  }
  std::string hash_of_values() {
    temper::Sha256 hash;
    for (const Split split : both_splits) hash.add(std::as_bytes(std::span(values(split))));
    return hash.finish();
  }

  void read(const fs::path& path, const std::string& key) {
    const temper::SafetensorsFile file(path);
    const auto said = [&](const char* name) {
      const auto entry = file.metadata().find(name);
      return entry == file.metadata().end() ? std::string() : entry->second;
    };
    temper::require(said("key") == key, Fault::data, "cache.key", "{}: was made from another model or other rows",
                    temper::shown_path(path));
    for (const Split split : both_splits) {
      if (places(split).count() == 0) continue;
      const temper::TensorInfo* tensor = file.find(name_of(split));
      temper::require(tensor && tensor->element == temper::Element::f32 &&
                          tensor->shape == std::vector<Index>{places(split).count()},
                      Fault::data, "cache.shape", "{}: does not have a number for each token of {}",
                      temper::shown_path(path), name_of(split));
      values(split).resize(static_cast<std::size_t>(places(split).count()));
      temper::widen(*tensor, 0, std::span<float>(values(split)));
    }
    temper::require(said("sha256") == hash_of_values(), Fault::data, "cache.damaged",
                    "{}: is damaged: its hash is not the one it was written with", temper::shown_path(path));
  }

  void write(const fs::path& path, const std::string& key) {
    std::vector<temper::TensorToWrite> tensors;
    for (const Split split : both_splits)
      if (places(split).count() > 0)
        tensors.push_back(temper::tensor_of_floats(std::string(name_of(split)), temper::Element::f32,
                                                   {places(split).count()}, values(split)));
    temper::write_safetensors(path, tensors, {{"key", key}, {"sha256", hash_of_values()}});
  }

  Json quantization_;
  RowPlaces places_[2];
  std::vector<float> values_[2];
  std::vector<double> buffer_;
};

}  // namespace

std::unique_ptr<RowCache> open_reference_cache(const Recipe& recipe, const RunData& data) {
  return std::make_unique<ReferenceCache>(recipe, data);
}

}  // namespace temper_cli
