// SPDX-License-Identifier: MIT
// The verbs of the program: what each is told, and the function that does it. A verb prints its result on stdout,
// returns the exit code, and throws temper::Error or RecipeError for everything that goes wrong.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace temper_cli {

struct RecipeOptions {
  std::string recipe;
  std::vector<std::string> set;
  bool json = false;
};

struct PreviewOptions : RecipeOptions {
  bool validation = false;
  std::optional<std::int64_t> rows;
};
struct TrainOptions : RecipeOptions {
  bool force = false;
};
struct ResumeOptions {
  std::string run;
  bool json = false;
};
struct EvalOptions : RecipeOptions {};  // a recipe, or a run's folder

struct GenerateOptions {
  std::string model, adapter, prompt;
  std::int64_t max_new_tokens = 128;
  double temperature = 0, top_p = 1;
  std::uint64_t seed = 42;
  bool raw = false;   // the prompt as it is, without the chat template
  bool chat = false;  // through a template even where the model has none of its own
  std::optional<int> threads;
  bool json = false;
};
struct MergeOptions {
  std::string model, adapter, output;
  std::string quantization = "none";  // of the result: none, nf4, fp4 or int8
  bool force = false, json = false;
};
struct InspectOptions {
  std::string path, tokenize, tokenizer;
  std::optional<int> threads;
  bool json = false;
};
struct RunsOptions {
  std::string folder = "runs";
  bool json = false;
};
struct PlainOptions {
  bool json = false;
};

int preview(const PreviewOptions& options);
int check(const RecipeOptions& options);
int plan(const RecipeOptions& options);
int train(const TrainOptions& options);
int resume(const ResumeOptions& options);
int evaluate(const EvalOptions& options);
int generate(const GenerateOptions& options);
int chat(const GenerateOptions& options);
int merge(const MergeOptions& options);
int export_model(const MergeOptions& options);
int inspect(const InspectOptions& options);
int runs(const RunsOptions& options);
int doctor(const PlainOptions& options);
int recipe_keys(const PlainOptions& options);

}  // namespace temper_cli
