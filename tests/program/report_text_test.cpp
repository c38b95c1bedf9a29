// SPDX-License-Identifier: MIT
// The page of 'temper check': within the screen's width, and in colours that end where they should.
#include "report_text.hpp"

#include <doctest/doctest.h>

#include "support/row_files.hpp"

namespace temper_cli::report_text_test {

// Rows that are cut, equal and of two files with long names: a page with every part but classes.
std::string page(const Screen& screen, const std::string& rows) {
  const temper::testing::RowFiles files;
  temper::DataSettings settings = temper::testing::settings_for(files.write("a_file_with_a_long_name.jsonl", rows));
  settings.train.push_back(files.write("zw\xc3\xb6lf_B\xc3\xb6xk\xc3\xa4mpfer.jsonl", rows));
  settings.max_length = 64;
  temper::DataReporter reporter;
  const temper::DatasetPair read =
      temper::load_rows(settings, temper::testing::row_tokenizer(), temper::open_rows, &reporter);
  return report_text(reporter.report(read, settings, temper::testing::row_tokenizer()), screen);
}
std::string preferences() {
  std::string rows;
  for (int i = 0; i < 30; ++i)
    rows += R"({"prompt": "mail jane@host.example )" + std::to_string(i) +
            R"(", "chosen": "a long answer to it, of words", "rejected": "no"})" + "\n";
  return rows;
}

// Characters without colour codes; each code must be ended by its reset before the line ends.
std::size_t columns_of(std::string_view line) {
  std::size_t columns = 0;
  bool coloured = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\033') {
      const std::size_t end = line.find('m', i);
      REQUIRE(end != std::string_view::npos);
      coloured = line.substr(i, end - i) != "\033[0";
      i = end;
    } else {
      columns += (static_cast<unsigned char>(line[i]) & 0xc0u) != 0x80u;
    }
  }
  CHECK(!coloured);
  return columns;
}

TEST_CASE("report text: every line fits the screen, and no colour runs on behind it") {
  for (const int width : {80, 100, 140}) {
    const std::string text = page({true, true, width}, preferences());
    CAPTURE(text);
    CHECK(temper::invalid_utf8(text) == text.size());
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      CHECK(columns_of(std::string_view(text).substr(begin, end - begin)) <= static_cast<std::size_t>(width));
      begin = end + 1;
    }
    CHECK(text.find("\033[2m") != std::string::npos);
    CHECK(text.find("length_bias") != std::string::npos);
  }
}

TEST_CASE("report text: the same without colour holds no control characters") {
  const std::string text = page({}, preferences());
  CHECK(text.find('\033') == std::string::npos);
  CHECK(text.find("...") != std::string::npos);
  CHECK(text.find("chosen: ") != std::string::npos);
  CHECK(text.back() != '\n');
}

}  // namespace temper_cli::report_text_test
