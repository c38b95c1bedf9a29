// SPDX-License-Identifier: MIT
// That the tensors of a whole model have the bytes of transformers' own file is shown in tests/adapter/merge_test.cpp.
#include "temper/model/code_tensors.hpp"

#include "io/scratch.hpp"
#include "support/golden_model.hpp"

namespace code_tensors_test {

using namespace temper_test;
using temper::test::ScratchFolder;

TEST_CASE("code tensors: what is written is read again, to the same floats and the type that it had") {
  const FloatSource values = [](Index first, std::span<float> to) {
    for (std::size_t i = 0; i < to.size(); ++i)
      to[i] = static_cast<float>((first + static_cast<Index>(i)) * 7919 % 1009 - 504) * 0x1p-9f;
  };
  for (const Coding coding : {Coding::nf4, Coding::fp4, Coding::int8})
    for (const ScaleForm form : {ScaleForm::plain, ScaleForm::coded})
      for (const Index rows : {Index{3}, Index{600}}) {
        if (coding == Coding::int8 && form == ScaleForm::coded) continue;
        const Index cols = 101;
        CodedMatrix made(coding, form, rows, cols, values);
        std::vector<TensorToWrite> tensors;
        made.add_to(tensors, "a.weight", Element::bf16);
        CHECK(tensors.size() == (coding == Coding::int8 ? 3 : form == ScaleForm::coded ? 6 : 4));
        const ScratchFolder folder;
        write_weights(folder.path(), tensors);
        const WeightFolder weights(folder.path());
        REQUIRE(coding_of(weights) == coding);
        const TensorInfo* weight = weights.find("a.weight");
        REQUIRE(weight);
        for (const TensorInfo& tensor : weights.tensors())
          CHECK(is_code_part(weights, tensor, coding) == (&tensor != weight));
        const StoredCodes stored(weights, *weight, coding);
        if (coding != Coding::int8) CHECK(stored.original() == Element::bf16);  // there the embedding says it
        const CodedMatrix read(stored.read());
        CHECK(read.form() == form);
        std::vector<float> first(static_cast<std::size_t>(rows * cols)), second = first;
        made(0, first);
        read(0, second);
        CHECK(first == second);
        made(77, std::span(second).first(5));
        CHECK(std::equal(second.begin(), second.begin() + 5, first.begin() + 77));
      }
}

}  // namespace code_tensors_test
