// SPDX-License-Identifier: MIT
// The teacher of a distillation run, compiled once for all engines.
#pragma once
#include <filesystem>
#include <memory>

#include "temper/backend/cpu/memory.hpp"
#include "temper/core/memory.hpp"
#include "temper/core/plan.hpp"
#include "temper/data/tokenizer.hpp"
#include "temper/model/batch.hpp"

namespace temper_cli {

class RunTeacher {
 public:
  using B = temper::Cpu<float>;

  virtual ~RunTeacher() = default;
  // Its states at the supervised positions: scratch of the enclosing scope.
  virtual temper::TaughtStates<B> states(temper::Context<B>& ctx, temper::BatchStaging<B>& staging,
                                         const temper::HostBatch& batch) const = 0;
  virtual const temper::BytesByHolder& bytes() const = 0;
};

// 'vocabulary' is how many tokens the student scores. While planning there are shapes and bytes alone.
std::unique_ptr<RunTeacher> open_teacher(const std::filesystem::path& folder, temper::Index vocabulary,
                                         temper::Execution execution);

// A teacher alone, which reads rows so that what it says can be kept.
class TeacherReader {
 public:
  virtual ~TeacherReader() = default;
  virtual temper::Plan plan(const std::vector<temper::BatchShape>& shapes) = 0;
  // Appends what is kept of each supervised token (HostBatch::taught).
  virtual void read(const temper::HostBatch& batch, std::vector<float>& logits, std::vector<temper::TokenId>& tokens,
                    std::vector<double>& rest) = 0;
  virtual std::size_t measured_bytes() const = 0;
};
struct KeptTop {
  temper::Index count;  // of logits a token
  double temperature;
};
// While running, with the memory that was planned.
std::unique_ptr<TeacherReader> open_teacher_reader(const std::filesystem::path& folder, temper::Index vocabulary,
                                                   KeptTop kept, int threads, const temper::Plan* plan);

// '3 ids differ: id 7 is 'a' and 'b', ...', the policy's or student's first; empty where they are the same.
std::string differing_tokens(const temper::Tokenizer& ours, const temper::Tokenizer& theirs);

// A teacher that scores every token that its student does, or bad data that names both folders.
void require_teacher_of(const std::filesystem::path& student, const std::filesystem::path& teacher);

// The same token for every id, or bad data that names the first ids that differ. 'tokenizer' is the student's.
void require_same_tokens(const temper::Tokenizer& tokenizer, const std::filesystem::path& student,
                         const std::filesystem::path& teacher);

}  // namespace temper_cli
