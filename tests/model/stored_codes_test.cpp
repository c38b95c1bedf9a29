// SPDX-License-Identifier: MIT
#include "temper/model/stored_codes.hpp"

#include <functional>

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

TEST_CASE("stored codes: the account is that of the same model quantized on load") {
  const auto bytes = [](const std::filesystem::path& folder, Execution execution) {
    const Decoder<Cpu<float>, QLora> model(open_config(folder), QLora{.rank = 2},
                                           std::make_shared<FolderWeights>(folder), {.execution = execution});
    return model.bytes()[static_cast<std::size_t>(Holder::frozen_weights)];
  };
  const auto folder = golden_storages / "checkpoint_nf4";
  CHECK(bytes(folder, Execution::running) == bytes(golden_models / "llama3", Execution::running));
  CHECK(bytes(folder, Execution::running) == bytes(folder, Execution::planning));
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
}

TEST_CASE("stored codes: parts that are missing, cut, of another type or of another matrix are refused by name") {
  const std::string weight = "model.layers.0.self_attn.q_proj.weight";
  const WeightFolder whole(golden_storages / "checkpoint_nf4");
  const auto thrown = [&](const std::string& name, const std::function<bool(TensorInfo&)>& change) {
    const ScratchFolder scratch;
    std::filesystem::copy_file(golden_storages / "checkpoint_nf4/config.json", scratch.path() / "config.json");
    Json header = Json::object();
    std::string bytes;
    bool met = false;
    for (TensorInfo tensor : whole.tensors()) {
      if (tensor.name == weight + name) {
        met = true;
        if (!change(tensor)) continue;
      }
      const std::size_t begin = bytes.size();
      bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
      header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, bytes.size()}}};
    }
    REQUIRE(met);
    std::string head = header.dump();
    std::string file(8, '\0');
    const auto length = static_cast<std::uint64_t>(head.size());
    std::memcpy(file.data(), &length, 8);
    write_file_atomically(scratch.path() / "model.safetensors", file + head + bytes);
    return thrown_by([&] { open_decoder<Cpu<float>>(scratch.path(), QLora{.rank = 2}); });
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
}

}  // namespace stored_codes_test
