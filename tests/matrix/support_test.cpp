// SPDX-License-Identifier: MIT
// Every cell of docs/support.md is run, and the page must say what was found.
#include <cstdlib>

#include "matrix/page.hpp"
#include "matrix/proof.hpp"

namespace support_test {

using namespace temper_test;

TEST_CASE("support: every adapter, storage, objective and optimizer that may go together do, and the page says so") {
  const std::vector<AdapterRow> rows = {{"Full", proven<Full>()},
                                        {"Lora", proven<Lora<AnyStorage>>()},
                                        {"Dora", proven<Dora<AnyStorage>>()},
                                        {"PromptTuning", proven<PromptTuningOn<AnyStorage>>()}};
  const std::string page = support_page(rows);
  const std::filesystem::path path = std::filesystem::path(TEMPER_TESTS).parent_path() / "docs/support.md";
  if (std::getenv("TEMPER_WRITE_SUPPORT")) write_file_atomically(path, page);
  INFO("docs/support.md is not what this test found; write it again with TEMPER_WRITE_SUPPORT=1 and look at git diff");
  CHECK(temper::test::content_of(path) == page);
}

TEST_CASE("support: a storage of fewer bits takes fewer bytes, so cells stand on what they say") {
  std::vector<std::size_t> bytes;
  for (const StorageCase& storage : storage_cases())
    bytes.push_back(matrix_model<Cpu<float>>(adapter_on<Lora<AnyStorage>>(storage.storage), storage, 0, Base::replaced)
                        .bytes()[static_cast<std::size_t>(Holder::frozen_weights)]);
  const auto of = [&](std::size_t s) { return static_cast<double>(bytes[s]) / static_cast<double>(bytes[0]); };
  CHECK(of(1) < 0.6);
  CHECK(of(2) == of(1));
  CHECK(of(6) < of(1));
  for (const std::size_t s : {3u, 4u, 5u}) CHECK(of(s) < of(6));
}

}  // namespace support_test
