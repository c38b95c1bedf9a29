// SPDX-License-Identifier: MIT
#include "temper/train/checkpoint.hpp"

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace checkpoint_test {

using namespace temper_test;
using temper::test::content_of;
using temper::test::ScratchFolder;
using temper::test::Thrown;
using temper::test::thrown_by;

using B = Cpu<float>;

// A run on a small model: steps of three rows each.
template <class R>
struct Run {
  Decoder<B, Lora<>> model;
  CausalLm objective;
  R rule;
  GoldenBatch golden{"llama2"};
  Trainee<Decoder<B, Lora<>>, CausalLm, R> trainee;

  explicit Run(const R& r, const Lora<>& lora = {.rank = 2, .dropout = 0.2, .modules_to_save = {"model.norm"}})
      : model(open_decoder<B>(golden_models / "llama2", lora)),
        rule(r),
        trainee(model, objective, rule, shape_of(golden.packed(0, 8).host())) {}

  void steps(Step from, Step to) {
    for (Step k = from; k < to; ++k) {
      const auto first = static_cast<std::size_t>(k) * 3;
      trainee.step(k, {golden.packed(first, first + 2), golden.packed(first + 2, first + 3)}, 1e-2, 1);
    }
  }
  std::vector<float> weights() {
    std::vector<float> all;
    model.visit([&](const auto& p) { all.insert(all.end(), p.value.data, p.value.data + p.size()); });
    return all;
  }
  void save(const ScratchFolder& folder) { save_state(trainee.session, model, folder.path()); }
  Thrown load(const ScratchFolder& folder) {
    return thrown_by([&] { load_state(trainee.session, model, folder.path()); });
  }
};

template <class R>
void continues_bit_for_bit(const R& rule) {
  ScratchFolder folder, again;
  Run<R> undisturbed(rule), resumed(rule);
  undisturbed.steps(0, 2);
  undisturbed.save(folder);
  undisturbed.steps(2, 5);
  REQUIRE(resumed.load(folder).code == "none");
  resumed.save(again);
  resumed.steps(2, 5);
  CHECK(resumed.weights() == undisturbed.weights());
  for (const char* file : {"parameters.safetensors", "optimizer.safetensors"})
    CHECK(content_of(folder / file) == content_of(again / file));
}

TEST_CASE("checkpoint: a run that is resumed reaches the bits of one that went on") {
  continues_bit_for_bit(AdamW{});
  continues_bit_for_bit(Sgd{.momentum = 0.9});
  continues_bit_for_bit(Sgd{});
  continues_bit_for_bit(Lion{});
  continues_bit_for_bit(Adafactor{});
  continues_bit_for_bit(AdamW8bit{.smallest = 40});  // below it: the norm's 32 elements and some of LoRA's
  continues_bit_for_bit(Muon{});
  continues_bit_for_bit(AnyOptimizer<AdamW, Muon>{Muon{}});
}

TEST_CASE("checkpoint: both files matter") {
  ScratchFolder folder;
  Run<AdamW> first(AdamW{}), fresh(AdamW{});
  first.steps(0, 2);
  first.save(folder);
  REQUIRE(fresh.load(folder).code == "none");
  // The state of a new optimizer beside the trained parameters leads elsewhere.
  Run<AdamW> forgetful(AdamW{}), empty(AdamW{});
  ScratchFolder mixed;
  empty.save(mixed);
  mixed.write("parameters.safetensors", content_of(folder / "parameters.safetensors"));
  REQUIRE(forgetful.load(mixed).code == "none");
  CHECK(forgetful.weights() == fresh.weights());
  forgetful.steps(2, 3);
  fresh.steps(2, 3);
  CHECK(forgetful.weights() != fresh.weights());
}

TEST_CASE("checkpoint: one of another rank, adapter or optimizer is refused") {
  ScratchFolder folder;
  Run<AdamW> run(AdamW{});
  run.save(folder);
  CHECK(Run<AdamW>(AdamW{}, {.rank = 3, .modules_to_save = {"model.norm"}}).load(folder).code == "weights.shape");
  CHECK(Run<AdamW>(AdamW{}, {.rank = 2}).load(folder).code == "weights.not_a_bijection");
  CHECK(Run<AdamW>(AdamW{}, {.rank = 2, .modules_to_save = {"lm_head"}}).load(folder).code ==
        "weights.not_a_bijection");
  const Thrown other = Run<Sgd>(Sgd{.momentum = 0.9}).load(folder);
  CHECK(other.code == "checkpoint.state");
  CHECK(other.fault == Fault::data);
  CHECK(Run<Sgd>(Sgd{}).load(folder).code == "checkpoint.state");

  // The same names and sizes, but numbers where codes are wanted.
  ScratchFolder coded;
  Run<AdamW8bit> codes(AdamW8bit{.smallest = 1});
  codes.save(coded);
  std::string optimizer = content_of(coded / "optimizer.safetensors");
  for (std::size_t at; (at = optimizer.find("\"U8\"")) != std::string::npos;) optimizer.replace(at, 4, "\"I8\"");
  coded.write("optimizer.safetensors", optimizer);
  CHECK(codes.load(coded).code == "checkpoint.state");

  ScratchFolder momentum;
  Run<Sgd> sgd(Sgd{.momentum = 0.9});
  sgd.save(momentum);
  CHECK(run.load(momentum).code == "checkpoint.state");
}

TEST_CASE("checkpoint: a file that was cut, or is not there, is an error that names it") {
  ScratchFolder folder;
  Run<AdamW> run(AdamW{});
  run.save(folder);
  for (const std::string file : {"parameters.safetensors", "optimizer.safetensors"}) {
    const std::string whole = content_of(folder / file);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
      CAPTURE(size);
      folder.write(file, std::string_view(whole).substr(0, size));
      const Thrown thrown = run.load(folder);
      CHECK(thrown.code != "none");
      CHECK(thrown.fault == Fault::data);
      CHECK(thrown.message.find(file) != std::string::npos);
    }
    std::filesystem::remove(folder / file);
    CHECK(run.load(folder).message.find(file) != std::string::npos);
    folder.write(file, whole);
  }
  CHECK(run.load(folder).code == "none");
}

}  // namespace checkpoint_test
