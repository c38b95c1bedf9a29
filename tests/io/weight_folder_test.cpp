// SPDX-License-Identifier: MIT
#include "temper/io/weight_folder.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "temper/io/safetensors_write.hpp"

namespace weight_folder_test {

using namespace temper;
using test::code_of;
using test::thrown_by;

const std::vector<float> values{1, 2, 3};

void write_shard(const test::ScratchFolder& folder, std::string_view file, const std::vector<std::string>& names) {
  std::vector<TensorToWrite> tensors;
  for (const std::string& name : names) tensors.push_back(tensor_of_floats(name, Element::f32, {3}, values));
  write_safetensors(folder / file, tensors);
}
void write_index(const test::ScratchFolder& folder, const Json& map) {
  folder.write("model.safetensors.index.json", to_text(Json{{"metadata", {{"total_size", 36}}}, {"weight_map", map}}));
}
std::string open_code(const test::ScratchFolder& folder) {
  return code_of([&] { WeightFolder weights(folder.path()); });
}

TEST_CASE("weights: one file or shards give the same list") {
  const test::ScratchFolder folder;
  write_shard(folder, "one.safetensors", {"a", "c"});
  write_shard(folder, "two.safetensors", {"b"});
  write_index(folder, {{"a", "one.safetensors"}, {"b", "two.safetensors"}, {"c", "one.safetensors"}});
  const WeightFolder sharded(folder.path());
  CHECK(sharded.tensors().size() == 3);
  CHECK(sharded.files().size() == 2);
  CHECK(widen(*sharded.find("b")) == values);
  CHECK(sharded.find("d") == nullptr);
  write_shard(folder, "model.safetensors", {"x"});
  CHECK(WeightFolder(folder.path()).tensors()[0].name == "x");
}

TEST_CASE("weights: index and shards must agree both ways") {
  const test::ScratchFolder folder;
  write_shard(folder, "one.safetensors", {"a", "c"});
  write_shard(folder, "two.safetensors", {"b"});
  write_index(folder, {{"a", "one.safetensors"}, {"b", "two.safetensors"}});
  CHECK(open_code(folder) == "weights.index");  // 'c' is not in the index
  write_index(folder, {{"a", "one.safetensors"}, {"b", "two.safetensors"}, {"c", "two.safetensors"}});
  CHECK(open_code(folder) == "weights.index");  // 'c' is in another shard
  write_index(folder,
              {{"a", "one.safetensors"}, {"b", "two.safetensors"}, {"c", "one.safetensors"}, {"d", "two.safetensors"}});
  const auto thrown = thrown_by([&] { WeightFolder weights(folder.path()); });
  CHECK(thrown.code == "weights.index");
  CHECK(thrown.message.find("tensor 'd' in 'two.safetensors'") != std::string::npos);
  write_shard(folder, "two.safetensors", {"a", "b"});  // 'a' twice
  write_index(folder, {{"a", "one.safetensors"}, {"b", "two.safetensors"}, {"c", "one.safetensors"}});
  CHECK(open_code(folder) == "weights.index");
}

TEST_CASE("weights: names of shards stay in the folder") {
  const test::ScratchFolder folder;
  for (const char* bad : {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", "", "one.bin"}) {
    write_index(folder, {{"a", bad}});
    CHECK_MESSAGE(open_code(folder) == "weights.shard_name", bad);
  }
  write_index(folder, {{"a", 1}});
  CHECK(open_code(folder) == "json.field");
}

TEST_CASE("weights: a shard that is missing or cut is named") {
  const test::ScratchFolder folder;
  write_index(folder, {{"a", "one.safetensors"}});
  const auto missing = thrown_by([&] { WeightFolder weights(folder.path()); });
  CHECK(missing.code == "weights.missing_shard");
  CHECK(missing.fault == Fault::data);
  write_shard(folder, "one.safetensors", {"a"});
  std::filesystem::resize_file(folder / "one.safetensors", std::filesystem::file_size(folder / "one.safetensors") - 1);
  const auto cut = thrown_by([&] { WeightFolder weights(folder.path()); });
  CHECK(cut.code == "safetensors.offsets");
  CHECK(cut.message.find("one.safetensors: tensor 'a'") != std::string::npos);
}

TEST_CASE("weights: a folder without weights says what is there instead") {
  const test::ScratchFolder folder;
  CHECK(open_code(folder) == "weights.none");
  folder.write("pytorch_model.bin", "x");
  CHECK(open_code(folder) == "weights.pickle");
  const auto missing = thrown_by([&] { WeightFolder weights(folder / "none"); });
  CHECK(missing.fault == Fault::usage);
  CHECK(missing.code == "file.missing");
  CHECK(code_of([&] { WeightFolder weights(folder / "pytorch_model.bin"); }) == "weights.not_folder");
}

}  // namespace weight_folder_test
