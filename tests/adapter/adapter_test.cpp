// SPDX-License-Identifier: MIT
// What refuses a wrong adapter stands in tests/must_not_compile.
#include "temper/adapter/adapter.hpp"

#include <doctest/doctest.h>

#include "temper/adapter/dora.hpp"
#include "temper/adapter/frozen.hpp"
#include "temper/adapter/full.hpp"
#include "temper/adapter/lora.hpp"
#include "temper/backend/cpu.hpp"

namespace adapter_test {

using namespace temper;

struct WithoutVisit {
  template <class B>
  struct Linear {
    struct Saved {};
    void forward(Context<B>&, In<B>, Out<B>, Saved&) {}
    void backward(Context<B>&, In<B>, Out<B>, Saved&) {}
  };
};
struct TrainsIsNoBool : Frozen {
  void trains(std::string_view) const {}
};
struct TrainsNorms : Frozen {
  bool trains(std::string_view path) const { return path.ends_with("norm"); }
};

TEST_CASE("adapter: aggregates with a linear layer are adapters, of every backend") {
  static_assert(Adapter<Frozen, Cpu<float>> && Adapter<Frozen, Cpu<double>>);
  static_assert(Adapter<Full, Cpu<float>> && Adapter<Lora<>, Cpu<double>> && Adapter<Dora<>, Cpu<float>>);
  static_assert(check_adapter<Frozen, Cpu<float>>() && check_adapter<Full, Cpu<float>>() &&
                check_adapter<Lora<>, Cpu<double>>());
  static_assert(!Adapter<WithoutVisit, Cpu<float>> && !Adapter<int, Cpu<float>>);
}

TEST_CASE("adapter: one trains the model's own tensors only where it says so") {
  CHECK_FALSE(adapter_trains(Frozen{}, "model.norm"));
  CHECK_FALSE(adapter_trains(TrainsIsNoBool{}, "model.norm"));
  CHECK(adapter_trains(TrainsNorms{}, "model.norm"));
  CHECK_FALSE(adapter_trains(TrainsNorms{}, "lm_head"));
  CHECK(adapter_trains(Full{}, "lm_head"));
  CHECK_FALSE(adapter_trains(Lora<>{}, "lm_head"));
}

}  // namespace adapter_test
