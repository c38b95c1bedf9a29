// SPDX-License-Identifier: MIT
#include "temper/model/rope.hpp"

#include <doctest/doctest.h>

namespace rope_test {

using namespace temper;

const std::filesystem::path models = std::filesystem::path(TEMPER_TESTS) / "golden/model";

// Calls f(config, recorded) for the recorded document lengths of every family.
void for_each_recorded(auto&& f) {
  for (const std::string family :
       {"llama2", "llama3", "llama_linear", "llama_dynamic", "llama_bf16", "qwen2", "qwen3", "mistral"}) {
    CAPTURE(family);
    const Config config = open_config(models / family);
    const Json recorded = read_json(models / family / "rope.json");
    REQUIRE(recorded.size() == 3);
    for (const Json& document : recorded) {
      CAPTURE(document["length"].dump());
      f(config, document);
    }
  }
}

TEST_CASE("rope: frequencies are those of transformers in float, and of the formula in double") {
  for_each_recorded([](const Config& config, const Json& document) {
    CHECK(document["attention_scaling"] == 1.0);
    const auto length = document["length"].get<Index>();
    std::vector<float> rounded;
    rope_frequencies(config.rope, config.head_width, length, rounded);
    const auto expected = document["inverse_frequencies"]["float32"].get<std::vector<float>>();
    REQUIRE(rounded.size() == expected.size());
    for (std::size_t c = 0; c < expected.size(); ++c)
      CHECK(std::abs(rounded[c] - expected[c]) <= 2.5e-7f * expected[c]);
    std::vector<double> exact;
    rope_frequencies(config.rope, config.head_width, length, exact);
    const auto formula = document["inverse_frequencies"]["float64"].get<std::vector<double>>();
    REQUIRE(exact.size() == formula.size());
    for (std::size_t c = 0; c < formula.size(); ++c) CHECK(exact[c] == doctest::Approx(formula[c]).epsilon(1e-12));
  });
}

TEST_CASE("rope: cosines and sines are those of transformers") {
  for_each_recorded([](const Config& config, const Json& document) {
    const auto positions = document["positions"].get<std::vector<Index>>();
    std::vector<float> frequencies;
    rope_frequencies(config.rope, config.head_width, document["length"].get<Index>(), frequencies);
    std::vector<float> cosines(frequencies.size()), sines(frequencies.size());
    for (std::size_t p = 0; p < positions.size(); ++p) {
      rope_row(frequencies, positions[p], cosines.data(), sines.data());
      for (std::size_t c = 0; c < frequencies.size(); ++c) {
        // A last digit of the frequency counts as often as the position says.
        const double tolerance =
            1e-7 + 1.2e-7 * static_cast<double>(positions[p]) * static_cast<double>(frequencies[c]);
        CHECK(std::abs(static_cast<double>(cosines[c]) - document["cosine"][p][c].get<double>()) <= tolerance);
        CHECK(std::abs(static_cast<double>(sines[c]) - document["sine"][p][c].get<double>()) <= tolerance);
      }
    }
  });
}

TEST_CASE("rope: dynamic scaling stretches only documents beyond the trained length") {
  const Rope rope{.kind = Rope::Kind::dynamic, .factor = 2, .original_positions = 16};
  const auto at = [&](Index length) {
    std::vector<double> f;
    rope_frequencies(rope, 8, length, f);
    return f;
  };
  CHECK(at(1) == at(16));
  CHECK(at(17) != at(16));
  CHECK(at(17)[0] == 1);
  CHECK(at(64)[3] < at(17)[3]);
}

TEST_CASE("rope: llama3 scaling leaves short waves, stretches long ones and blends between") {
  const Rope plain{.theta = 1e6},
      scaled{.kind = Rope::Kind::llama3, .theta = 1e6, .factor = 8, .original_positions = 512};
  std::vector<double> before, after;
  rope_frequencies(plain, 64, 0, before);
  rope_frequencies(scaled, 64, 0, after);
  int kept = 0, blended = 0, stretched = 0;
  for (std::size_t c = 0; c < before.size(); ++c) {
    const double wavelength = 2 * std::numbers::pi / before[c], ratio = before[c] / after[c];
    CAPTURE(wavelength);
    if (wavelength < 128) {
      ++kept;
      CHECK(ratio == 1);
    } else if (wavelength > 512) {
      ++stretched;
      CHECK(ratio == doctest::Approx(8));
    } else {
      ++blended;
      CHECK(ratio > 1);
      CHECK(ratio < 8);
    }
  }
  CHECK(kept > 0);
  CHECK(blended > 0);
  CHECK(stretched > 0);
}

TEST_CASE("rope: the first position does not turn") {
  std::vector<float> frequencies, cosines(4), sines(4);
  rope_frequencies(Rope{}, 8, 0, frequencies);
  rope_row(frequencies, 0, cosines.data(), sines.data());
  CHECK(cosines == std::vector<float>(4, 1));
  CHECK(sines == std::vector<float>(4, 0));
}

}  // namespace rope_test
