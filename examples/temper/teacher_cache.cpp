// SPDX-License-Identifier: MIT
// teacher.cache: what is kept of the teacher at each supervised token, in the order of the rows: a line that says what
// it was made from, a record for each token (the rest; the largest logits; their tokens), and the SHA-256 of all that.
#include <cstring>
#include <optional>

#include "format.hpp"
#include "row_cache.hpp"
#include "signals.hpp"
#include "teacher.hpp"
#include "temper/io/hash.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;
using temper::Fault;
using temper::TokenId;

constexpr std::size_t hash_length = 64;
struct SignalCame {};

class TeacherCache final : public RowCache {
 public:
  TeacherCache(const Recipe& recipe, const RunData& data, Index vocabulary)
      : folder_(recipe.path("teacher")),
        data_(data),
        vocabulary_(vocabulary),
        kept_{std::min(recipe.integer("objective.cache_teacher"), vocabulary), recipe.number("objective.temperature")},
        threads_(recipe.has("threads") ? static_cast<int>(recipe.integer("threads")) : 0),
        settings_{.batch_size = recipe.integer("training.batch_size"),
                  .gradient_accumulation = 1,
                  .max_length = recipe.integer("data.max_length"),
                  .packing = temper::Packing::off,
                  .shuffle = temper::Shuffle::off,
                  .seed = 0},
        places_{RowPlaces(data.train()), RowPlaces(data.validation())} {
    std::vector<temper::BatchShape> shapes;
    over_rows([&](const temper::MicroBatch& batch) { keep_if_large(shapes, temper::shape_of(batch.host())); });
    plan_ = open_reader(nullptr)->plan(shapes);
  }

  std::string_view file_name() const override { return "teacher.cache"; }
  std::size_t bytes() const override {
    return header("").size() + hash_length + static_cast<std::size_t>(count()) * record_bytes() + hash_length;
  }
  const temper::Plan* plan() const override { return &plan_; }
  std::size_t measured_bytes() const override { return measured_; }

  bool before_start(const fs::path& path, const Json& inputs, Reporter& reporter) override {
    const std::string first = header(key_of(inputs));
    if (read_if_sound(path, reporter, "the teacher reads the rows again", [&] { read(path, first); })) return true;
    try {
      write(path, first);
    } catch (const SignalCame&) { return false; }
    read(path, first);
    reporter.say(fmt::format("the teacher has read the rows once: {} in {}", bytes_text(bytes()), file_name()));
    return true;
  }

  temper::HostBatch host(const temper::MicroBatch& batch, Split split) override {
    const RowPlaces& places = places_[static_cast<std::size_t>(split)];
    const Index before = split == Split::train ? 0 : places_[0].count();
    const auto kept = static_cast<std::size_t>(kept_.count);
    Index count = 0;
    for (const Index row : batch.rows) count += places.end(row) - places.begin(row);
    rest_.resize(static_cast<std::size_t>(count));
    logits_.resize(rest_.size() * kept);
    tokens_.resize(rest_.size() * kept);
    std::size_t next = 0;
    for (const Index row : batch.rows)
      for (Index at = places.begin(row); at < places.end(row); ++at, ++next) {
        const std::byte* from = records_ + static_cast<std::size_t>(before + at) * record_bytes();
        std::memcpy(&rest_[next], from, sizeof(double));
        std::memcpy(&logits_[next * kept], from + sizeof(double), kept * sizeof(float));
        std::memcpy(&tokens_[next * kept], from + sizeof(double) + kept * sizeof(float), kept * sizeof(TokenId));
      }
    temper::HostBatch host = batch.host();
    host.taught = {logits_, tokens_, rest_};
    return host;
  }

 private:
  // The teacher is gone when the run begins, so it reads what the run may not come to as well.
  Index tokens_read(const RunData& data) const override {
    return tokens_of(data.train()) + tokens_of(data.validation());
  }
  Index count() const { return places_[0].count() + places_[1].count(); }
  std::size_t record_bytes() const {
    return sizeof(double) + static_cast<std::size_t>(kept_.count) * (sizeof(float) + sizeof(TokenId));
  }
  std::unique_ptr<TeacherReader> open_reader(const temper::Plan* plan) const {
    return open_teacher_reader(folder_, vocabulary_, kept_, threads_, plan);
  }

  template <class Visit>
  void over_rows(Visit visit) const {
    for (const temper::Dataset* rows : {&data_.train(), &data_.validation()}) {
      if (rows->size() == 0) continue;
      const temper::EpochPlan plan(*rows, settings_, 0);
      for (Index step = 0; step < plan.steps(); ++step)
        for (const temper::MicroBatch& batch : plan.step(step)) visit(batch);
    }
  }

  // All that the numbers depend on.
  std::string key_of(const Json& inputs) const {
    Json teacher = Json::object();
    for (const auto& [name, hash] : inputs.items())
      if (name.starts_with("teacher/")) teacher[name] = hash;
    return temper::sha256_of(Json{
        {"teacher", teacher},
        {"vocabulary", vocabulary_},
        {"temperature", kept_.temperature},
        {"rows",
         hash_of_rows(data_)}}.dump());
  }
  std::string header(const std::string& key) const {
    return Json{{"format", 1}, {"kept", kept_.count}, {"tokens", count()}, {"key", key}}.dump() + "\n";
  }

  void write(const fs::path& path, const std::string& first) {
    const std::unique_ptr<TeacherReader> reader = open_reader(&plan_);
    measured_ = reader->measured_bytes();
    const auto kept = static_cast<std::size_t>(kept_.count);
    temper::replace_file(path, [&](temper::NewFile& file) {
      temper::Sha256 hash;
      std::string records;
      const auto put = [&](std::string_view text) {
        hash.add(text);
        file.write(text);
      };
      const auto add = [&](const void* from, std::size_t size) {
        records.append(static_cast<const char*>(from), size);
      };
      put(first);
      over_rows([&](const temper::MicroBatch& batch) {
        if (SignalWatch::caught() != 0) throw SignalCame{};
        logits_.clear(), tokens_.clear(), rest_.clear(), records.clear();
        reader->read(batch.host(), logits_, tokens_, rest_);
        for (std::size_t i = 0; i < rest_.size(); ++i) {
          add(&rest_[i], sizeof(double));
          add(&logits_[i * kept], kept * sizeof(float));
          add(&tokens_[i * kept], kept * sizeof(TokenId));
        }
        put(records);
      });
      file.write(hash.finish());
    });
  }

  void read(const fs::path& path, const std::string& first) {
    temper::MappedFile file(path);
    const std::size_t size = first.size() + static_cast<std::size_t>(count()) * record_bytes();
    const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.size());
    temper::require(text.starts_with(first), Fault::data, "cache.key",
                    "{}: was made from another teacher, other rows or another temperature", temper::shown_path(path));
    temper::require(file.size() == size + hash_length, Fault::data, "cache.shape", "{}: has {} bytes; expected {}",
                    temper::shown_path(path), file.size(), size + hash_length);
    temper::require(temper::sha256_of(text.substr(0, size)) == text.substr(size), Fault::data, "cache.damaged",
                    "{}: is damaged: its hash is not the one it was written with", temper::shown_path(path));
    file_.emplace(std::move(file));
    records_ = file_->bytes().data() + first.size();
  }

  fs::path folder_;
  const RunData& data_;
  Index vocabulary_;
  KeptTop kept_;
  int threads_;
  temper::BatchSettings settings_;
  RowPlaces places_[2];
  temper::Plan plan_;
  std::size_t measured_ = 0;
  std::optional<temper::MappedFile> file_;
  const std::byte* records_ = nullptr;
  std::vector<float> logits_;
  std::vector<TokenId> tokens_;
  std::vector<double> rest_;
};

}  // namespace

std::unique_ptr<RowCache> open_teacher_cache(const Recipe& recipe, const RunData& data, Index vocabulary) {
  return std::make_unique<TeacherCache>(recipe, data, vocabulary);
}

}  // namespace temper_cli
