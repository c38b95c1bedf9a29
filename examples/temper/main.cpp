// SPDX-License-Identifier: MIT
// temper: a recipe in, an adapter out. Reads the command line, runs one verb, and turns whatever goes wrong into one
// line on stderr and an exit code. CLI11 is named here and nowhere else.
#include <CLI/CLI.hpp>

#include <csignal>
#include <functional>
#include <iostream>
#include <new>

#include "commands.hpp"
#include "exit_code.hpp"
#include "recipe.hpp"
#include "suggestion.hpp"
#include "temper/core/version.hpp"
#include "temper/io/file.hpp"

namespace temper_cli {
namespace {

using Action = std::function<int()>;

// The options of every verb must outlive the parse.
struct AllOptions {
  PreviewOptions preview;
  RecipeOptions check, plan;
  TrainOptions train;
  ResumeOptions resume;
  EvalOptions eval;
  GenerateOptions generate, chat;
  MergeOptions merge, export_model;
  InspectOptions inspect;
  RunsOptions runs;
  PlainOptions doctor, recipe;
};

CLI::App* add_verb(CLI::App& program, const char* name, const char* what, const char* example, bool& json) {
  CLI::App* verb = program.add_subcommand(name, what);
  verb->footer(fmt::format("Example: {}", example));
  verb->add_flag("--json", json, "print JSON and nothing else on stdout");
  return verb;
}

void add_recipe(CLI::App* verb, RecipeOptions& options) {
  verb->add_option("RECIPE", options.recipe, "the recipe, a JSON file")->required();
  verb->add_option("--set", options.set, "KEY=VALUE, such as training.learning_rate=2e-4; may be given again")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

void add_generation(CLI::App* verb, GenerateOptions& options) {
  verb->add_option("--model", options.model, "the model's folder")->required();
  verb->add_option("--adapter", options.adapter, "a PEFT adapter's folder");
  verb->add_option("--max-new-tokens", options.max_new_tokens, "longest answer, in tokens")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  verb->add_option("--temperature", options.temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0, 1000.0));
  verb->add_option("--top-p", options.top_p, "draw among the likeliest that have this share")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--seed", options.seed, "of the drawing");
  verb->add_option("--threads", options.threads, "default: all cores")->check(CLI::Range(1, 1024));
}

void add_merge(CLI::App* verb, MergeOptions& options) {
  verb->add_option("--model", options.model, "the base model's folder")->required();
  verb->add_option("--adapter", options.adapter, "the PEFT adapter's folder")->required();
  verb->add_option("--output", options.output, "the new folder")->required();
  verb->add_flag("--force", options.force, "replace the folder where there is one");
}

void add_training_verbs(CLI::App& program, AllOptions& all, Action& action) {
  CLI::App* verb = add_verb(program, "preview", "Show rows as they will be trained",
                            "temper preview recipe.json --rows 3", all.preview.json);
  add_recipe(verb, all.preview);
  verb->add_flag("--validation", all.preview.validation, "the validation rows instead");
  verb->add_option("--rows", all.preview.rows, "only the first N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  verb->callback([&] { action = [&] { return preview(all.preview); }; });

  verb = add_verb(program, "check", "Report on the data, over all rows", "temper check recipe.json", all.check.json);
  add_recipe(verb, all.check);
  verb->callback([&] { action = [&] { return check(all.check); }; });

  verb = add_verb(program, "plan", "Check everything; print memory, steps, tokens and time; train nothing",
                  "temper plan recipe.json --set training.batch_size=8", all.plan.json);
  add_recipe(verb, all.plan);
  verb->callback([&] { action = [&] { return plan(all.plan); }; });

  verb =
      add_verb(program, "train", "Train", "temper train recipe.json --set training.learning_rate=2e-4", all.train.json);
  add_recipe(verb, all.train);
  verb->add_flag("--force", all.train.force, "replace the run's folder where there is one");
  verb->callback([&] { action = [&] { return train(all.train); }; });

  verb = add_verb(program, "resume", "Go on with a run from its newest checkpoint", "temper resume runs/first",
                  all.resume.json);
  verb->add_option("RUN", all.resume.run, "the run's folder")->required();
  verb->callback([&] { action = [&] { return resume(all.resume); }; });

  verb = add_verb(program, "eval", "Loss on the validation rows of a recipe (its model) or of a run (what it trained)",
                  "temper eval runs/first --json", all.eval.json);
  add_recipe(verb, all.eval);
  verb->get_option("RECIPE")->description("a recipe, or a run's folder");
  verb->callback([&] { action = [&] { return evaluate(all.eval); }; });
}

void add_model_verbs(CLI::App& program, AllOptions& all, Action& action) {
  CLI::App* verb = add_verb(
      program, "generate", "Answer a prompt",
      "temper generate --model models/small --adapter runs/first/adapter --prompt \"Who are you?\"", all.generate.json);
  add_generation(verb, all.generate);
  verb->add_option("--prompt", all.generate.prompt, "the text to answer")->required();
  CLI::Option* raw = verb->add_flag("--raw", all.generate.raw, "the prompt as it is, without the chat template");
  verb->add_flag("--chat", all.generate.chat, "through a template even where the model has none of its own")
      ->excludes(raw);
  verb->callback([&] { action = [&] { return generate(all.generate); }; });

  verb =
      add_verb(program, "chat", "Talk with a model, a line a turn", "temper chat --model models/small", all.chat.json);
  add_generation(verb, all.chat);
  verb->callback([&] { action = [&] { return chat(all.chat); }; });

  verb =
      add_verb(program, "merge", "Fold an adapter into its model",
               "temper merge --model models/small --adapter runs/first/adapter --output models/merged", all.merge.json);
  add_merge(verb, all.merge);
  verb->add_option("--quantization", all.merge.quantization,
                   "none (default): dense; nf4, fp4, int8: rounded again, with a certificate of what that loses")
      ->check(CLI::IsMember({"none", "nf4", "fp4", "int8"}));
  verb->callback([&] { action = [&] { return merge(all.merge); }; });

  verb = add_verb(program, "export", "Write a model for another program",
                  "temper export --model models/small --adapter runs/first/adapter --output small.gguf",
                  all.export_model.json);
  add_merge(verb, all.export_model);
  verb->callback([&] { action = [&] { return export_model(all.export_model); }; });

  verb = add_verb(program, "inspect", "Show what a weights file, model, adapter or run holds",
                  "temper inspect runs/first/adapter/adapter_model.safetensors", all.inspect.json);
  verb->add_option("PATH", all.inspect.path, "a file or a folder");
  CLI::Option* tokenize = verb->add_option("--tokenize", all.inspect.tokenize, "encode every line of this file");
  verb->add_option("--tokenizer", all.inspect.tokenizer, "the folder of the tokenizer")->needs(tokenize);
  verb->add_option("--threads", all.inspect.threads, "default: all cores")->check(CLI::Range(1, 1024));
  verb->callback([&] { action = [&] { return inspect(all.inspect); }; });
}

void add_other_verbs(CLI::App& program, AllOptions& all, Action& action) {
  CLI::App* verb = add_verb(program, "runs", "List the runs below a folder", "temper runs runs", all.runs.json);
  verb->add_option("DIR", all.runs.folder, "default: runs");
  verb->callback([&] { action = [&] { return runs(all.runs); }; });

  verb = add_verb(program, "doctor", "Check this machine", "temper doctor", all.doctor.json);
  verb->callback([&] { action = [&] { return doctor(all.doctor); }; });

  verb = add_verb(program, "recipe", "List every key of a recipe", "temper recipe", all.recipe.json);
  verb->callback([&] { action = [&] { return recipe_keys(all.recipe); }; });
}

// A verb that was mistyped is the first word that is no option.
std::string verb_hint(const CLI::App& program, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string_view> names;
  std::vector<std::string> owned;
  for (const CLI::App* verb : program.get_subcommands({})) owned.push_back(verb->get_name());
  for (const std::string& name : owned) {
    if (name == argv[1]) return "";
    names.push_back(name);
  }
  const std::string near = nearest_word(argv[1], names);
  return fmt::format("'{}' is no verb{}; expected one of {}", temper::printable(argv[1], 60),
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near), fmt::join(owned, ", "));
}

int run(int argc, char** argv) {
  CLI::App program{"temper fine-tunes language models.", "temper"};
  program.set_version_flag("--version", fmt::format("temper {}", temper::version));
  program.require_subcommand(1);
  program.footer("Example: temper train recipe.json\nEach verb has its own --help, and --json for scripts.");
  AllOptions all;
  Action action;
  add_training_verbs(program, all, action);
  add_model_verbs(program, all, action);
  add_other_verbs(program, all, action);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error, std::cout, std::cerr);
    const std::string hint = verb_hint(program, argc, argv);
    const std::vector<CLI::App*> verbs = program.get_subcommands();
    fmt::print(stderr, "temper: {}; see 'temper{}{} --help'\n", hint.empty() ? error.what() : hint,
               verbs.empty() ? "" : " ", verbs.empty() ? "" : verbs[0]->get_name());
    return usage;
  }
  return action();
}

int guarded(int argc, char** argv) try {
  // A reader that went away (temper preview | head) shows as a failed write, not as a killed process.
  std::signal(SIGPIPE, SIG_IGN);
  return run(argc, argv);
} catch (const RecipeError& error) {
  for (const std::string& line : error.lines()) fmt::print(stderr, "temper: {}\n", line);
  return usage;
} catch (const temper::Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return exit_code(error.fault());
} catch (const std::filesystem::filesystem_error& error) {
  const std::string path = error.path1().empty() ? "" : temper::shown_path(error.path1()) + ": ";
  fmt::print(stderr, "temper: {}{}; expected a file or folder that can be used\n", path, error.code().message());
  return exit_code(error);
} catch (const std::bad_alloc&) {
  fmt::print(stderr, "temper: memory ran out; expected less to be asked for; see 'temper plan', or lower batch_size\n");
  return out_of_memory;
} catch (const std::exception& error) {
  fmt::print(stderr, "temper: internal error: {}; this is a bug of temper\n", error.what());
  return internal_error;
}

}  // namespace
}  // namespace temper_cli

int main(int argc, char** argv) { return temper_cli::guarded(argc, argv); }
