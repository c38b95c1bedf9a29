// SPDX-License-Identifier: MIT
#include "temper/adapter/merge.hpp"

#include <deque>

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace merge_test {

using namespace temper_test;
using temper::test::content_of;
using temper::test::ScratchFolder;
using temper::test::Thrown;
using temper::test::thrown_by;

using Model = Decoder<Cpu<float>, Lora<>>;

Model with_adapter(const std::filesystem::path& base, const std::filesystem::path& adapter) {
  auto model = open_decoder<Cpu<float>>(base, read_peft_config(adapter));
  load_peft(model, adapter);
  return model;
}
// A folder as a model on which nothing stands: B is zero, and what is read is what is computed.
Model alone(const std::filesystem::path& folder) {
  return open_decoder<Cpu<float>>(folder, Lora<>{.rank = 1, .targets = {"o_proj"}});
}

double difference(Model& a, Model& b, const GoldenBatch& golden) {
  double largest = 0;
  for (std::size_t d = 0; d < golden.expected; ++d)
    largest = std::max(largest, relative_error<float>(logits_of(a, golden.rows[d]), logits_of(b, golden.rows[d])));
  return largest;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The recorded adapter as tensors that can be changed before they are written.
std::vector<TensorToWrite> tensors_of(const SafetensorsFile& file) {
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& t : file.tensors()) tensors.push_back(tensor_of_bytes(t.name, *t.element, t.shape, t.bytes));
  return tensors;
}

TEST_CASE("merge: the merged model computes what base and adapter compute, for every family") {
  for (const std::string& family : golden_families()) {
    CAPTURE(family);
    ScratchFolder merged;
    const auto base = golden_models / family, adapter = base / "adapter";
    merge_adapter(base, adapter, merged.path());
    Model with = with_adapter(base, adapter), after = alone(merged.path()), before = alone(base);
    const GoldenBatch golden(family);
    // In bf16 the merged weights are rounded to eight bits, and the adapter's own are not.
    CHECK(difference(after, with, golden) < (family == "llama_bf16" ? 0.03 : 5e-6));
    CHECK(difference(after, before, golden) > 0.1);
  }
}

TEST_CASE("merge: rank-stabilised, targeted, trained biases and saved modules are merged too") {
  for (const auto& [family, name] : {std::pair<std::string, std::string>{"llama3", "adapter_modules_to_save"},
                                     {"qwen2", "adapter_all_linear"},
                                     {"qwen2", "adapter_bias_all"},
                                     {"qwen2", "adapter_bias_lora_only"},
                                     {"qwen2", "adapter_rslora"},
                                     {"qwen2", "adapter_targets"}}) {
    const std::string shown_name = name;
    CAPTURE(shown_name);
    ScratchFolder merged;
    const auto base = golden_models / family, adapter = base / name;
    merge_adapter(base, adapter, merged.path());
    Model with = with_adapter(base, adapter), after = alone(merged.path());
    CHECK(difference(after, with, GoldenBatch(family)) < 5e-6);
  }
}

TEST_CASE("merge: DoRA's rows are brought to their magnitudes, and its magnitudes must be there") {
  ScratchFolder merged;
  const auto base = golden_models / "llama3", recorded = base / "adapter_dora";
  merge_adapter(base, recorded, merged.path());
  auto with = open_decoder<Cpu<float>>(base, read_peft_dora(recorded));
  load_peft(with, recorded);
  Model after = alone(merged.path()), before = alone(base);
  double largest = 0, changed = 0;
  const GoldenBatch golden("llama3");
  for (std::size_t d = 0; d < golden.expected; ++d) {
    const auto expected = logits_of(with, golden.rows[d]);
    largest = std::max(largest, relative_error<float>(logits_of(after, golden.rows[d]), expected));
    changed = std::max(changed, relative_error<float>(logits_of(before, golden.rows[d]), expected));
  }
  CHECK(largest < 5e-6);
  CHECK(changed > 0.1);

  const SafetensorsFile file(recorded / "adapter_model.safetensors");
  auto tensors = tensors_of(file);
  std::erase_if(tensors, [](const TensorToWrite& t) { return contains(t.name, "0.mlp.up_proj.lora_magnitude"); });
  ScratchFolder adapter, refused;
  adapter.write("adapter_config.json", content_of(recorded / "adapter_config.json"));
  write_safetensors(adapter / "adapter_model.safetensors", tensors);
  const Thrown lacking = thrown_by([&] { merge_adapter(base, adapter.path(), refused.path()); });
  CHECK(lacking.code == "merge.shape");
  CHECK(contains(lacking.message, "lora_magnitude_vector"));
}

TEST_CASE("merge: a tied model whose head was trained is tied no longer") {
  ScratchFolder adapter, merged;
  const auto base = golden_models / "qwen2";
  Model with = open_decoder<Cpu<float>>(base, Lora<>{.rank = 2, .targets = {"q_proj"}, .modules_to_save = {"lm_head"}});
  std::uint64_t element = 0;
  with.visit([&](auto& p) {
    for (Index i = 0; i < p.size(); ++i) p.value.data[i] += static_cast<float>(0.1 * Random{3}.normal(element++));
  });
  save_peft(with, "qwen2", adapter.path());
  merge_adapter(base, adapter.path(), merged.path());
  CHECK(read_json(merged / "config.json")["tie_word_embeddings"] == false);
  const WeightFolder weights(merged.path());
  REQUIRE(weights.find("lm_head.weight"));
  CHECK(widen(*weights.find("lm_head.weight")) != widen(*weights.find("model.embed_tokens.weight")));
  Model after = alone(merged.path());
  CHECK(difference(after, with, GoldenBatch("qwen2")) < 5e-6);
}

TEST_CASE("merge: so is one whose file stores the tied head a second time") {
  ScratchFolder base, adapter, merged;
  const auto recorded = golden_models / "qwen2";
  const SafetensorsFile file(recorded / "model.safetensors");
  auto tensors = tensors_of(file);
  const TensorInfo& table = *file.find("model.embed_tokens.weight");
  tensors.push_back(tensor_of_bytes("lm_head.weight", *table.element, table.shape, table.bytes));
  write_safetensors(base / "model.safetensors", tensors);
  base.write("config.json", content_of(recorded / "config.json"));
  Model with =
      open_decoder<Cpu<float>>(base.path(), Lora<>{.rank = 2, .targets = {"q_proj"}, .modules_to_save = {"lm_head"}});
  with.visit([&](auto& p) { p.value.data[5] += 0.5f; });
  save_peft(with, "qwen2", adapter.path());
  merge_adapter(base.path(), adapter.path(), merged.path());
  CHECK(read_json(merged / "config.json")["tie_word_embeddings"] == false);
  Model after = alone(merged.path());
  CHECK(difference(after, with, GoldenBatch("qwen2")) < 5e-6);
}

TEST_CASE("merge: a sharded model is merged as a whole one") {
  ScratchFolder whole, sharded;
  merge_adapter(golden_models / "llama2", golden_models / "llama2/adapter", whole.path());
  merge_adapter(golden_models / "llama_sharded", golden_models / "llama2/adapter", sharded.path());
  CHECK(content_of(whole / "model.safetensors") == content_of(sharded / "model.safetensors"));
  CHECK_NOTHROW(alone(sharded.path()));
}

TEST_CASE("merge: tensors keep their types and shapes, and what no adapter touches keeps its bytes") {
  for (const std::string family : {"llama_bf16", "qwen3"}) {
    ScratchFolder merged;
    const auto base = golden_models / family;
    merge_adapter(base, base / "adapter", merged.path());
    const WeightFolder before(base), after(merged.path());
    REQUIRE(before.tensors().size() == after.tensors().size());
    for (const TensorInfo& tensor : before.tensors()) {
      CAPTURE(tensor.name);
      const TensorInfo* now = after.find(tensor.name);
      REQUIRE(now);
      CHECK(now->dtype == tensor.dtype);
      CHECK(now->shape == tensor.shape);
      const bool same = std::equal(tensor.bytes.begin(), tensor.bytes.end(), now->bytes.begin(), now->bytes.end());
      CHECK(same != contains(tensor.name, "_proj.weight"));
    }
    CHECK(content_of(merged / "config.json") == content_of(base / "config.json"));
  }
}

TEST_CASE("merge: a bf16 weight is the sum in float, rounded once") {
  ScratchFolder merged;
  const auto base = golden_models / "llama_bf16";
  merge_adapter(base, base / "adapter", merged.path());
  const WeightFolder before(base), after(merged.path());
  const SafetensorsFile adapter(base / "adapter/adapter_model.safetensors");
  const std::string path = "model.layers.1.mlp.down_proj";
  const auto w = widen(*before.find(path + ".weight")), m = widen(*after.find(path + ".weight"));
  const auto a = widen(*adapter.find("base_model.model." + path + ".lora_A.weight")),
             b = widen(*adapter.find("base_model.model." + path + ".lora_B.weight"));
  const std::size_t cols = a.size() / 3;
  for (std::size_t i = 0; i < w.size(); ++i) {
    double sum = 0;
    for (std::size_t r = 0; r < 3; ++r)
      sum += static_cast<double>(b[i / cols * 3 + r]) * static_cast<double>(a[r * cols + i % cols]);
    const double exact = static_cast<double>(w[i]) + 2 * sum;
    REQUIRE(std::abs(static_cast<double>(m[i]) - exact) <= std::abs(exact) * (0x1p-8 + 1e-6) + 1e-7);
  }
}

TEST_CASE("merge: files beside the weights come along") {
  ScratchFolder base, merged;
  std::filesystem::copy(golden_models / "llama2", base.path(), std::filesystem::copy_options::recursive);
  base.write("tokenizer.json", "{\"a tokenizer\": 1}");
  base.write("generation_config.json", "{}");
  base.write("notes.txt", "not the model's");
  merge_adapter(base.path(), base / "adapter", merged.path());
  CHECK(content_of(merged / "tokenizer.json") == "{\"a tokenizer\": 1}");
  CHECK(content_of(merged / "generation_config.json") == "{}");
  CHECK_FALSE(std::filesystem::exists(merged / "notes.txt"));
}

TEST_CASE("merge: an adapter of another model is refused") {
  const auto merge = [](const std::string& base, const std::string& adapter) {
    ScratchFolder merged;
    return thrown_by([&] { merge_adapter(golden_models / base, golden_models / adapter, merged.path()); });
  };
  CHECK(merge("llama2", "llama3/adapter").code == "merge.shape");
  CHECK(merge("llama2", "qwen2/adapter_bias_all").fault == Fault::data);
  CHECK(merge("llama2", "llama3/adapter_dora").code == "merge.shape");
  CHECK(merge("llama2", "llama3/adapter_prompt").code == "peft.type");
}

TEST_CASE("merge: an adapter with a tensor too many, or one of a pair too few, is refused") {
  const auto base = golden_models / "llama2";
  const SafetensorsFile file(base / "adapter/adapter_model.safetensors");
  const auto merge = [&](const std::vector<TensorToWrite>& tensors) {
    ScratchFolder adapter, merged;
    adapter.write("adapter_config.json", content_of(base / "adapter/adapter_config.json"));
    write_safetensors(adapter / "adapter_model.safetensors", tensors);
    return thrown_by([&] { merge_adapter(base, adapter.path(), merged.path()); });
  };
  CHECK(merge(tensors_of(file)).code == "none");

  auto tensors = tensors_of(file);
  tensors.push_back(tensors.back());
  tensors.back().name = "base_model.model.model.layers.7.mlp.up_proj.lora_A.weight";
  const Thrown unused = merge(tensors);
  CHECK(unused.code == "merge.unused");
  CHECK(contains(unused.message, "layers.7"));

  for (const char* side : {".lora_A.weight", ".lora_B.weight"}) {
    CAPTURE(side);
    tensors = tensors_of(file);
    std::erase_if(tensors,
                  [&](const TensorToWrite& t) { return contains(t.name, std::string("0.mlp.up_proj") + side); });
    REQUIRE(tensors.size() + 1 == file.tensors().size());
    const Thrown lone = merge(tensors);
    CHECK(lone.code == "merge.shape");
    CHECK(contains(lone.message, "0.mlp.up_proj"));
  }
}

const std::filesystem::path golden_storages = std::filesystem::path(TEMPER_TESTS) / "golden/storage";

// An adapter that changes nothing: the recorded one with every B at zero.
void write_idle_adapter(const ScratchFolder& adapter) {
  const auto recorded = golden_models / "llama3/adapter";
  const SafetensorsFile file(recorded / "adapter_model.safetensors");
  auto tensors = tensors_of(file);
  const std::vector<std::byte> zeros(1 << 16);
  for (TensorToWrite& tensor : tensors)
    if (contains(tensor.name, "lora_B")) tensor.bytes = std::span(zeros).first(tensor.bytes.size());
  adapter.write("adapter_config.json", content_of(recorded / "adapter_config.json"));
  write_safetensors(adapter / "adapter_model.safetensors", tensors);
}

TEST_CASE("merge: into 4 bits an adapter that changes nothing gives transformers' own file, byte for byte") {
  ScratchFolder adapter, nf4, same;
  write_idle_adapter(adapter);
  const auto losses = merge_adapter(golden_models / "llama3", adapter.path(), nf4.path(), Coding::nf4);
  const auto recorded = golden_storages / "checkpoint_nf4";
  CHECK(content_of(nf4 / "model.safetensors") == content_of(recorded / "model.safetensors"));
  CHECK(read_json(nf4 / "config.json")["quantization_config"] ==
        read_json(recorded / "config.json")["quantization_config"]);
  CHECK(losses.size() == 14);
  for (const MatrixLoss& loss : losses) {
    CHECK_FALSE(loss.changed());
    CHECK(loss.relative_error() > 0.03);  // what every base loses
    CHECK(loss.relative_error() < 0.2);
  }
}

TEST_CASE("merge: into 8 bits it does too, of a base that is rounded to f16 as transformers does first") {
  ScratchFolder adapter, rounded, int8;
  write_idle_adapter(adapter);
  write_rounded_llama3(rounded.path());
  const auto losses = merge_adapter(rounded.path(), adapter.path(), int8.path(), Coding::int8);
  const auto recorded = golden_storages / "checkpoint_int8";
  CHECK(content_of(int8 / "model.safetensors") == content_of(recorded / "model.safetensors"));
  CHECK(read_json(int8 / "config.json")["quantization_config"] ==
        read_json(recorded / "config.json")["quantization_config"]);
  CHECK(losses.size() == 14);
  CHECK(total_loss(losses).relative_error() < 0.01);

  // From 8 bits to 4 the scales are coded, as they are from a dense base.
  ScratchFolder nf4;
  CHECK(merge_adapter(recorded, golden_models / "llama3/adapter", nf4.path(), Coding::nf4).size() == 14);
  CHECK(read_json(nf4 / "config.json")["quantization_config"] ==
        read_json(golden_storages / "checkpoint_nf4/config.json")["quantization_config"]);
  CHECK_NOTHROW(open_decoder<Cpu<float>>(nf4.path(), FrozenOn<Nf4>{}));
}

TEST_CASE("merge: an adapter on a quantized base is merged into a dense model that computes the same") {
  const auto recorded = golden_models / "llama3/adapter";
  const std::vector<std::pair<std::string, AnyStorage>> bases = {
      {"checkpoint_nf4", {Nf4{}}}, {"checkpoint_fp4", {Fp4{}}}, {"checkpoint_int8", {Int8{}}}};
  for (const auto& [checkpoint, storage] : bases) {
    const std::string name = checkpoint;
    CAPTURE(name);
    ScratchFolder merged;
    const auto base = golden_storages / name;
    CHECK(merge_adapter(base, recorded, merged.path()).empty());
    CHECK_FALSE(read_json(merged / "config.json").contains("quantization_config"));
    auto with = open_decoder<Cpu<float>>(base, on(storage, read_peft_config(recorded)));
    load_peft(with, recorded);
    Model after = alone(merged.path());
    const auto rows = GoldenBatch("llama3").rows[0];
    CHECK(relative_error<float>(logits_of(after, rows), logits_of(with, rows)) < 5e-6);
  }
}

TEST_CASE("merge: scales are of the form that is asked for, those that no adapter touches too") {
  ScratchFolder adapter, plain, again;
  write_idle_adapter(adapter);
  const auto nested = golden_storages / "checkpoint_nf4";
  const auto form_of = [](const std::filesystem::path& folder) {
    const WeightFolder weights(folder);
    std::size_t coded = 0, all = 0;
    for (const TensorInfo& tensor : weights.tensors())
      all += tensor.name.ends_with(".absmax"), coded += tensor.name.ends_with(".nested_absmax");
    CHECK((coded == 0 || coded == all));
    const Json stated = read_json(folder / "config.json")["quantization_config"]["bnb_4bit_use_double_quant"];
    CHECK(stated == (coded > 0));
    return coded > 0 ? ScaleForm::coded : ScaleForm::plain;
  };
  CHECK(form_of(nested) == ScaleForm::coded);
  CHECK(merge_adapter(nested, adapter.path(), plain.path(), Coding::nf4, ScaleForm::plain).size() == 14);
  CHECK(form_of(plain.path()) == ScaleForm::plain);
  merge_adapter(plain.path(), adapter.path(), again.path(), Coding::nf4);
  CHECK(form_of(again.path()) == ScaleForm::plain);  // what nobody asks for stays
  CHECK(content_of(again / "model.safetensors") == content_of(plain / "model.safetensors"));
}

TEST_CASE("merge: into 4 bits again, what survives is measured, and what no adapter touches stays as it was") {
  ScratchFolder merged, dense;
  const auto base = golden_storages / "checkpoint_nf4", recorded = golden_models / "llama3/adapter";
  const auto losses = merge_adapter(base, recorded, merged.path(), Coding::nf4);
  merge_adapter(base, recorded, dense.path());
  REQUIRE(losses.size() == 14);
  const WeightFolder exact(dense.path()), now(merged.path()), before(base);
  for (const MatrixLoss& loss : losses) {
    CAPTURE(loss.name);
    const auto w = CodedMatrix(StoredCodes(before, *before.find(loss.name), Coding::nf4).read());
    const auto q = CodedMatrix(StoredCodes(now, *now.find(loss.name), Coding::nf4).read());
    const auto m = widen(*exact.find(loss.name));
    std::vector<float> was(m.size()), is(m.size());
    w(0, was), q(0, is);
    double weight = 0, change = 0, error = 0, along = 0;
    for (std::size_t i = 0; i < m.size(); ++i) {
      const double d = static_cast<double>(m[i]) - static_cast<double>(was[i]),
                   e = static_cast<double>(is[i]) - static_cast<double>(m[i]);
      weight += static_cast<double>(m[i]) * static_cast<double>(m[i]), change += d * d, error += e * e;
      along += (static_cast<double>(is[i]) - static_cast<double>(was[i])) * d;
    }
    CHECK(loss.relative_change() == doctest::Approx(std::sqrt(change / weight)));
    CHECK(loss.relative_error() == doctest::Approx(std::sqrt(error / weight)));
    CHECK(loss.kept() == doctest::Approx(along / change));
  }
  CHECK(read_json(merged / "config.json") == read_json(base / "config.json"));
  CHECK_NOTHROW(open_decoder<Cpu<float>>(merged.path(), FrozenOn<Nf4>{}));

  ScratchFolder half, partly, other;
  const SafetensorsFile file(recorded / "adapter_model.safetensors");
  auto tensors = tensors_of(file);
  std::erase_if(tensors, [](const TensorToWrite& t) { return contains(t.name, "layers.1."); });
  half.write("adapter_config.json", content_of(recorded / "adapter_config.json"));
  write_safetensors(half / "adapter_model.safetensors", tensors);
  CHECK(merge_adapter(base, half.path(), partly.path(), Coding::nf4).size() == 7);
  const WeightFolder some(partly.path());
  for (const TensorInfo& tensor : before.tensors())
    if (contains(tensor.name, "layers.1."))
      CHECK(std::equal(tensor.bytes.begin(), tensor.bytes.end(), some.find(tensor.name)->bytes.begin()));

  // A change far below the distance of 16 values does not survive, and the loss says so.
  ScratchFolder weak, lost;
  const SafetensorsFile full(recorded / "adapter_model.safetensors");
  std::deque<std::vector<float>> weakened;
  auto faint = tensors_of(full);
  for (TensorToWrite& tensor : faint)
    if (contains(tensor.name, "lora_B")) {
      for (float& value : weakened.emplace_back(widen(*full.find(tensor.name)))) value *= 0.02f;
      tensor.bytes = std::as_bytes(std::span(weakened.back()));
    }
  weak.write("adapter_config.json", content_of(recorded / "adapter_config.json"));
  write_safetensors(weak / "adapter_model.safetensors", faint);
  CHECK(total_loss(losses).kept() > 0.9);
  CHECK(total_loss(merge_adapter(base, weak.path(), lost.path(), Coding::nf4)).kept() < 0.2);

  // From one type of 4 bits to the other: everything is quantized anew, and the folder says so.
  CHECK(merge_adapter(base, half.path(), other.path(), Coding::fp4).size() == 14);
  CHECK(read_json(other / "config.json")["quantization_config"]["bnb_4bit_quant_type"] == "fp4");
  CHECK_NOTHROW(open_decoder<Cpu<float>>(other.path(), FrozenOn<Fp4>{}));
}

}  // namespace merge_test
