// SPDX-License-Identifier: MIT
// The time of kernels on a GPU beside other libraries: gpu_kernels [--tiny] [--filter NAME] [--others FILE] [--json
// FILE].
// --tiny launches each once at a small shape, which an emulator can run too. For bench/gpu.sh.
#include <cstring>

#include "gpu/measure.hpp"
#include "gpu/products.hpp"
#include "gpu/rows.hpp"
#include "gpu/training_rows.hpp"

int main(int count, char** arguments) {
  temper::bench::Size size = temper::bench::Size::full;
  std::string filter, others, json;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    std::string* value = word == "--filter"   ? &filter
                         : word == "--others" ? &others
                         : word == "--json"   ? &json
                                              : nullptr;
    if (word == "--tiny") {
      size = temper::bench::Size::tiny;
    } else if (value != nullptr && i + 1 < count) {
      *value = arguments[++i];
    } else {
      std::fputs("usage: gpu_kernels [--tiny] [--filter NAME] [--others FILE] [--json FILE]\n", stderr);
      return 2;
    }
  }
  try {
    temper::bench::Measurements all(size, filter, others);
    temper::bench::Measurements::print_head();
    temper::bench::measure_products(all);
    temper::bench::measure_attentions(all);
    temper::bench::measure_rows(all);
    temper::bench::measure_training(all);
    if (!json.empty()) all.write_json(json);
    if (all.count() == 0) std::fprintf(stderr, "no kernel has '%s' in its name\n", filter.c_str());
    return all.count() > 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
