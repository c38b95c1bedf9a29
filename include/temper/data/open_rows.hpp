// SPDX-License-Identifier: MIT
// Opens a file of rows by its name: CSV, TSV, and everything else as JSON lines or an array. What needs further
// libraries (Parquet, compressed files) is opened by table/open_all_rows.hpp of the component tables.
#pragma once
#include "temper/data/row_file.hpp"
#include "temper/data/table/csv.hpp"

#include <memory>
#include <span>
#include <string>

namespace temper {

// 'name' decides, less what says how the bytes are compressed.
inline std::unique_ptr<RowSource> open_row_text(std::unique_ptr<ByteSource> bytes, const std::filesystem::path& path,
                                                const std::filesystem::path& name) {
  const std::string extension = name.extension().string();
  if (extension == ".csv" || extension == ".tsv")
    return std::make_unique<CsvRows>(std::move(bytes), path, extension == ".csv" ? ',' : '\t');
  return std::make_unique<JsonRows>(std::move(bytes), path);
}

inline std::unique_ptr<RowSource> open_rows(const std::filesystem::path& path,
                                            std::span<const std::string> /*wanted*/) {
  const std::string extension = path.extension().string();
  for (const std::string_view other : {".parquet", ".gz", ".zst"})
    require(extension != other, Fault::usage, "rows.file_type", "{}: {} files are not read by this program; {}",
            shown_path(path), other, "expected JSONL, a JSON array, CSV or TSV; build it with the component 'tables'");
  return open_row_text(std::make_unique<FileBytes>(path), path, path);
}

}  // namespace temper
