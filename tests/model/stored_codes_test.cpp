// SPDX-License-Identifier: MIT
#include "temper/model/stored_codes.hpp"

#include <array>
#include <functional>
#include <limits>

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace stored_codes_test {

using namespace temper_test;
using temper::test::ScratchFolder;

const std::filesystem::path golden_storages = std::filesystem::path(TEMPER_TESTS) / "golden/storage";

std::string thrown_by(auto&& call) {
  try {
    call();
  } catch (const Error& error) { return std::string(error.code()) + " " + error.what(); }
  return "none";
}

template <class A>
std::vector<float> logits_from(const std::filesystem::path& folder, const A& adapter) {
  auto model = open_decoder<Cpu<float>>(folder, adapter);
  return logits_of(model, GoldenBatch("llama3").packed(0, 3));
}

TEST_CASE("stored codes: a checkpoint of transformers computes what its original quantized on load does, bit for bit") {
  const auto nf4 = logits_from(golden_storages / "checkpoint_nf4", QLora{.rank = 2});
  CHECK(nf4 == logits_from(golden_models / "llama3", FrozenOn<Nf4>{}));
  // What is asked for of scales, and what is skipped, are the file's to say.
  CHECK(nf4 == logits_from(golden_storages / "checkpoint_nf4", FrozenOn<Nf4>{{.double_quantized = false}}));
  const auto fp4 = logits_from(golden_storages / "checkpoint_fp4", Dora<Fp4>{{.rank = 2}});
  CHECK(logits_from(golden_storages / "checkpoint_fp4", FrozenOn<Fp4>{}) ==
        logits_from(golden_models / "llama3", FrozenOn<Fp4>{{.double_quantized = false}}));
  CHECK(fp4.size() == nf4.size());
}

TEST_CASE("stored codes: 8 bits as transformers saves them are decoded as bitsandbytes does, bit for bit") {
  const auto folder = golden_storages / "checkpoint_int8";
  const WeightFolder weights(folder);
  CHECK(coding_of(weights) == Coding::int8);
  const SafetensorsFile expected(golden_storages / "checkpoint_int8.safetensors");
  for (const std::string module : {"model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"}) {
    const StoredCodes stored(weights, *weights.find(module + ".weight"), Coding::int8);
    CHECK(stored.original() == Element::f32);
    const auto wanted = widen(*expected.find("decoded." + module));
    std::vector<float> found(wanted.size());
    CodedMatrix(stored.read())(0, found);
    CHECK(found == wanted);
  }
  // Activations are not rounded: the logits are those of the decoded matrices, which transformers' own come near.
  auto model = open_decoder<Cpu<float>>(folder, FrozenOn<Int8>{});
  const auto logits = logits_of(model, GoldenBatch("llama3").rows[0]);
  CHECK(relative_error<float>(logits, widen(*expected.find("logits"))) < 1e-5);
  const double theirs = relative_error<float>(logits, widen(*expected.find("logits.llm_int8")));
  CHECK(theirs > 1e-3);
  CHECK(theirs < 0.1);

  const ScratchFolder rounded;
  write_rounded_llama3(rounded.path());
  CHECK(logits_from(folder, Lora<Int8>{.rank = 2}) == logits_from(rounded.path(), FrozenOn<Int8>{}));
}

TEST_CASE("stored codes: the account is that of the same model quantized on load") {
  const auto bytes = [](const std::filesystem::path& folder, const AnyStorage& storage, Execution execution) {
    const Decoder<Cpu<float>, FrozenOn<AnyStorage>> model(open_config(folder), FrozenOn<AnyStorage>{storage},
                                                          std::make_shared<FolderWeights>(folder),
                                                          {.execution = execution});
    return model.bytes()[static_cast<std::size_t>(Holder::frozen_weights)];
  };
  for (const AnyStorage& storage : {AnyStorage{Nf4{}}, AnyStorage{Int8{}}}) {
    const auto folder =
        golden_storages / (std::holds_alternative<Nf4>(storage.chosen) ? "checkpoint_nf4" : "checkpoint_int8");
    CHECK(bytes(folder, storage, Execution::running) == bytes(golden_models / "llama3", storage, Execution::running));
    CHECK(bytes(folder, storage, Execution::running) == bytes(folder, storage, Execution::planning));
  }
}

TEST_CASE("stored codes: who asks for something else is told what the weights are") {
  const auto folder = golden_storages / "checkpoint_nf4";
  for (const auto& thrown : {thrown_by([&] { open_decoder<Cpu<float>>(folder, Lora<>{.rank = 2}); }),
                             thrown_by([&] { open_decoder<Cpu<float>>(folder, Full{}); })}) {
    CHECK(thrown.starts_with("weights.quantized"));
    CHECK(thrown.find("(nf4)") != std::string::npos);
  }
  CHECK(thrown_by([&] { open_decoder<Cpu<float>>(folder, Lora<Int8>{.rank = 2}); }).starts_with("storage.coding"));
  CHECK(thrown_by([&] { open_decoder<Cpu<float>>(folder, Lora<Fp4>{.rank = 2}); }).starts_with("storage.coding"));
  const auto rows = golden_storages / "checkpoint_int8";
  CHECK(thrown_by([&] { open_decoder<Cpu<float>>(rows, QLora{.rank = 2}); }).starts_with("storage.coding"));
  CHECK(thrown_by([&] { open_decoder<Cpu<float>>(rows, Full{}); }).find("(int8)") != std::string::npos);
}

// A copy of a checkpoint with one tensor changed, or left out where 'change' is false, and others added; what opening
// it throws.
std::string thrown_by_changed(const std::filesystem::path& checkpoint, const std::string& name,
                              const AnyStorage& storage, const std::function<bool(TensorInfo&)>& change,
                              const std::vector<TensorInfo>& added = {}) {
  const ScratchFolder scratch;
  const WeightFolder whole(checkpoint);
  std::filesystem::copy_file(checkpoint / "config.json", scratch.path() / "config.json");
  Json header = Json::object();
  std::string bytes;
  bool met = false;
  std::vector<TensorInfo> tensors = whole.tensors();
  tensors.insert(tensors.end(), added.begin(), added.end());
  for (TensorInfo tensor : tensors) {
    if (tensor.name == name) {
      met = true;
      if (!change(tensor)) continue;
    }
    const std::size_t begin = bytes.size();
    bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, bytes.size()}}};
  }
  REQUIRE(met);
  const std::string head = header.dump();
  std::string file(8, '\0');
  const auto length = static_cast<std::uint64_t>(head.size());
  std::memcpy(file.data(), &length, 8);
  write_file_atomically(scratch.path() / "model.safetensors", file + head + bytes);
  return thrown_by([&] { open_decoder<Cpu<float>>(scratch.path(), FrozenOn<AnyStorage>{storage}); });
}

TEST_CASE("stored codes: parts that are missing, cut, of another type or of another matrix are refused by name") {
  const std::string weight = "model.layers.0.self_attn.q_proj.weight";
  const auto thrown = [&](const std::string& name, const std::function<bool(TensorInfo&)>& change) {
    return thrown_by_changed(golden_storages / "checkpoint_nf4", weight + name, {Nf4{}}, change);
  };
  std::string text;
  const auto with_bytes = [&](std::string value) {
    return [&text, value](TensorInfo& tensor) {
      text = value;
      tensor.bytes = std::as_bytes(std::span(text));
      tensor.shape = {std::ssize(text)};
      return true;
    };
  };
  const auto without = [](TensorInfo&) { return false; };
  const auto cut = [](TensorInfo& tensor) {
    tensor.bytes = tensor.bytes.subspan(0, tensor.bytes.size() / 2);
    tensor.shape = {tensor.shape[0] / 2};
    return true;
  };
  const std::string state = ".quant_state.bitsandbytes__nf4";
  CHECK(thrown("", [](TensorInfo&) { return true; }) == "none");
  CHECK(thrown("", [](TensorInfo& t) { return t.dtype = "I8", true; }).starts_with("codes.dtype"));

  for (const std::string part : {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", state.c_str()}) {
    CAPTURE(part);
    const std::string missing = thrown(part, without);
    CHECK(missing.starts_with("codes.missing"));
    CHECK(missing.find(weight + part) != std::string::npos);
  }
  CHECK(thrown("", without).find("missing: " + weight) != std::string::npos);
  CHECK(thrown("", cut).starts_with("codes.size"));
  CHECK(thrown(".absmax", cut).starts_with("codes.size"));
  CHECK(thrown(".quant_map", cut).starts_with("codes.table"));
  CHECK(thrown(".nested_absmax", [](TensorInfo& t) { return t.dtype = "I32", true; }).starts_with("codes.dtype"));
  CHECK(thrown(state, [](TensorInfo& t) { return t.name += "x", true; }).starts_with("codes.missing"));
  const auto with_state = [&](const std::string& json) { return thrown(state, with_bytes(json)); };
  const std::string rest = R"("dtype":"float32","nested_dtype":"float32","nested_blocksize":256,"nested_offset":0.5})";
  CHECK(with_state(R"({"quant_type":"fp4","blocksize":64,"shape":[32,32],)" + rest).starts_with("codes.type"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":128,"shape":[32,32],)" + rest).starts_with("json.field"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":64,"shape":[1024],)" + rest).starts_with("codes.shape"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":64,"shape":[32,64],)" + rest).starts_with("codes.size"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":64,"shape":[16,64],)" + rest).starts_with("weights.shape"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":64,"shape":[32,-1],)" + rest).starts_with("json.field"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":64,"shape":[32,99999999999],)" + rest).starts_with("json.field"));
  CHECK(with_state(R"({"quant_type":"nf4","blocksize":64,"shape":[32,32]})").starts_with("codes.dtype"));
  CHECK(with_state("not json").starts_with("json."));
  CHECK(with_state(std::string(5000, ' ')).starts_with("codes.state"));
}

TEST_CASE("stored codes: 8 bits without scales, with others than the rows have, or in another order are refused") {
  const std::string module = "model.layers.0.self_attn.q_proj";
  const auto thrown = [&](const std::string& part, const std::function<bool(TensorInfo&)>& change) {
    const std::string message = thrown_by_changed(golden_storages / "checkpoint_int8", module + part, {Int8{}}, change);
    if (message != "none") CHECK(message.find(module) != std::string::npos);
    return message;
  };
  const auto without = [](TensorInfo&) { return false; };
  const auto shaped = [](std::vector<Index> shape) {
    return [shape](TensorInfo& tensor) { return tensor.shape = shape, true; };
  };
  const auto typed = [](std::string dtype) {
    return [dtype](TensorInfo& tensor) { return tensor.dtype = dtype, true; };
  };
  CHECK(thrown(".weight", [](TensorInfo&) { return true; }) == "none");
  CHECK(thrown(".weight_format", without) == "none");  // files of old releases

  CHECK(thrown(".SCB", without).starts_with("codes.missing"));
  CHECK(thrown(".SCB", [](TensorInfo& t) {
          return t.name = "model.layers.0.self_attn.q_proj.weight.SCB", true;
        }).starts_with("codes.missing"));
  CHECK(thrown(".SCB", typed("I32")).starts_with("codes.dtype"));
  CHECK(thrown(".SCB", shaped({1, 32})).starts_with("codes.size"));
  CHECK(thrown(".SCB", [](TensorInfo& tensor) {
          tensor.bytes = tensor.bytes.first(64), tensor.shape = {16};
          return true;
        }).starts_with("codes.size"));
  CHECK(thrown(".weight", shaped({1024})).starts_with("codes.shape"));
  CHECK(thrown(".weight", shaped({32, 32, 1})).starts_with("codes.shape"));
  CHECK(thrown(".weight", shaped({16, 64})).starts_with("codes.size"));
  CHECK(thrown(".weight", typed("U8")).starts_with("codes.dtype"));
  CHECK(thrown(".weight", without).find("missing: " + module) != std::string::npos);
  CHECK(thrown(".weight_format", typed("I8")).starts_with("codes.dtype"));
  const std::array<std::byte, 1> ampere = {std::byte{3}};
  const auto turned = [&](TensorInfo& tensor) { return tensor.bytes = ampere, true; };
  CHECK(thrown(".weight_format", turned).find("is 3; expected 0") != std::string::npos);
  CHECK(thrown(".weight_format", [](TensorInfo& tensor) {
          tensor.bytes = {}, tensor.shape = {0};
          return true;
        }).starts_with("codes.format"));
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float wrong : {-1.0f, -infinity, infinity, std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    std::vector<float> scales(32, 1.0f);
    scales[7] = wrong;
    const auto damaged = [&](TensorInfo& tensor) { return tensor.bytes = std::as_bytes(std::span(scales)), true; };
    const std::string message = thrown(".SCB", damaged);
    CHECK(message.starts_with("codes.scale "));
    CHECK(message.find("for row 7") != std::string::npos);
  }
}

TEST_CASE("stored codes: a part that only another coding or another form of scales has is in no bijection") {
  const std::string module = "model.layers.0.self_attn.q_proj", weight = module + ".weight";
  const std::vector<float> zeros(32, 0.0f);
  const auto refused = [&](const char* checkpoint, const AnyStorage& storage, const std::string& name,
                           const std::string& type) {
    TensorInfo stray;
    stray.name = name, stray.dtype = type, stray.shape = {type == "F32" ? 32 : 128};
    stray.bytes = std::as_bytes(std::span(zeros));
    const auto whole = [](TensorInfo&) { return true; };
    const std::string message = thrown_by_changed(golden_storages / checkpoint, weight, storage, whole, {stray});
    CAPTURE(message);
    CHECK(message.starts_with("weights.not_a_bijection"));
    CHECK(message.find(name) != std::string::npos);
  };
  refused("checkpoint_nf4", {Nf4{}}, module + ".SCB", "F32");
  refused("checkpoint_nf4", {Nf4{}}, module + ".weight_format", "U8");
  refused("checkpoint_nf4", {Nf4{}}, weight + ".quant_state.bitsandbytes__fp4", "U8");
  refused("checkpoint_fp4", {Fp4{}}, weight + ".nested_absmax", "F32");
  for (const std::string part : {".absmax", ".quant_map", ".nested_quant_map"})
    refused("checkpoint_int8", {Int8{}}, weight + part, "F32");
  refused("checkpoint_int8", {Int8{}}, weight + ".quant_state.bitsandbytes__nf4x", "U8");
}

TEST_CASE("stored codes: a configuration that says otherwise than the weights is refused") {
  const ScratchFolder scratch;
  const auto opened = [&](const std::filesystem::path& weights, const Json& config) {
    std::filesystem::copy_file(weights / "model.safetensors", scratch.path() / "model.safetensors",
                               std::filesystem::copy_options::overwrite_existing);
    write_file_atomically(scratch.path() / "config.json", config.dump());
    return thrown_by([&] { open_decoder<Cpu<float>>(scratch.path(), QLora{.rank = 2}); });
  };
  const Json dense = read_json(golden_models / "llama3/config.json");
  const Json nf4 = read_json(golden_storages / "checkpoint_nf4/config.json");
  const Json fp4 = read_json(golden_storages / "checkpoint_fp4/config.json");
  CHECK(opened(golden_models / "llama3", nf4).starts_with("weights.coding"));
  CHECK(opened(golden_storages / "checkpoint_nf4", dense).starts_with("weights.coding"));
  CHECK(opened(golden_storages / "checkpoint_nf4", fp4).starts_with("weights.coding"));
  CHECK(opened(golden_storages / "checkpoint_nf4", nf4) == "none");
  const Json int8 = read_json(golden_storages / "checkpoint_int8/config.json");
  CHECK(opened(golden_storages / "checkpoint_int8", nf4).starts_with("weights.coding"));
  CHECK(opened(golden_storages / "checkpoint_int8", dense).starts_with("weights.coding"));
  CHECK(opened(golden_storages / "checkpoint_nf4", int8).starts_with("weights.coding"));
}

}  // namespace stored_codes_test
