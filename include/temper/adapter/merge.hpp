// SPDX-License-Identifier: MIT
// Folds an adapter into its base: W + s B A, and with DoRA each row brought to its magnitude, computed in float and
// rounded once to the base's own type, of a quantized base to the type that it had before. Works on files, matrix by
// matrix, so it needs no more memory than the largest matrix's adapter. Into 4 or 8 bits the result is held until it is
// written, and what that loses is measured.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "temper/adapter/merge_loss.hpp"
#include "temper/adapter/peft.hpp"
#include "temper/model/code_tensors.hpp"

namespace temper {

// One matrix with its adapter; read in pieces, from the front.
struct MergedMatrix {
  FloatSource weight;
  Index cols;
  std::vector<float> down, up, magnitude;  // A, B, and DoRA's m or nothing
  Index rank;
  float scale;
  std::vector<float> row = {};  // the last one made
  Index made = -1;

  void make(Index index) {
    row.resize(static_cast<std::size_t>(cols));
    weight(index * cols, row);
    std::vector<float> change(row.size(), 0.0f);
    for (Index r = 0; r < rank; ++r) {
      const float factor = up[static_cast<std::size_t>(index * rank + r)];
      const float* from = down.data() + r * cols;
      for (std::size_t i = 0; i < change.size(); ++i) change[i] += factor * from[i];
    }
    double squares = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] += scale * change[i];
      squares += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    }
    if (!magnitude.empty() && squares > 0) {
      const float factor = magnitude[static_cast<std::size_t>(index)] / static_cast<float>(std::sqrt(squares));
      for (float& value : row) value *= factor;
    }
    made = index;
  }
  void operator()(Index first, std::span<float> to) {
    for (std::size_t i = 0; i < to.size();) {
      const Index at = first + static_cast<Index>(i), begin = at % cols;
      if (at / cols != made) make(at / cols);
      const std::size_t count = std::min(to.size() - i, static_cast<std::size_t>(cols - begin));
      std::copy_n(row.begin() + begin, count, to.begin() + static_cast<std::ptrdiff_t>(i));
      i += count;
    }
  }
};

// What the adapter's folder says about its labels; of PEFT's own folders, which say nothing, their number is known.
inline Json merged_score_config(const std::filesystem::path& base, const std::filesystem::path& adapter,
                                const TensorInfo& score) {
  Config config = open_config(base);
  require(score.shape.size() == 2 && score.shape[1] == config.width, Fault::data, "weights.shape",
          "{}: tensor '{}' has shape {}; expected [labels, {}]; the adapter was made for another model",
          (adapter / "adapter_model.safetensors").string(), score.name, shape_text(score.shape), config.width);
  const std::filesystem::path own = adapter / "config.json";
  const Json stated = std::filesystem::exists(own) ? read_json(own) : Json::object();
  Json result = std::move(config.json);
  if (!is_classifier(result)) result.erase("id2label"), result.erase("label2id");
  result["architectures"] = {classifier_architecture(config.model_type)};
  for (const char* key : {"num_labels", "id2label", "label2id", "problem_type", "pad_token_id", "temper_pooling"})
    if (stated.is_object() && stated.contains(key)) result[key] = stated[key];
  const std::vector<std::string> names =
      result.contains("id2label") ? stated_labels(result, own.string()) : std::vector<std::string>{};
  if (std::ssize(names) == score.shape[0]) return result;
  require(
      names.empty(), Fault::data, "head.labels",
      "{}: id2label has {} labels but the score head has {}; expected equally many; put the adapter's own config.json "
      "back",
      own.string(), names.size(), score.shape[0]);
  result["num_labels"] = score.shape[0];
  for (Index i = 0; i < score.shape[0]; ++i) result["id2label"][std::to_string(i)] = "LABEL_" + std::to_string(i);
  for (Index i = 0; i < score.shape[0]; ++i) result["label2id"]["LABEL_" + std::to_string(i)] = i;
  return result;
}

// A tensor of the base, dense or in codes.
struct BaseTensor {
  const TensorInfo* tensor;
  Element element;  // of what is written densely
  std::vector<Index> shape;
  FloatSource values;
  std::shared_ptr<CodedMatrix> codes = nullptr;

  BaseTensor(const WeightFolder& folder, const TensorInfo& from, Coding coding) : tensor(&from) {
    if (coding != Coding::dense && holds_codes(from)) {
      const StoredCodes stored(folder, from, coding);
      const StoredTensor read = stored.read();
      element = stored.original(), shape = read.shape;
      codes = std::make_shared<CodedMatrix>(read);
      values = [held = codes](Index first, std::span<float> to) { (*held)(first, to); };
    } else {
      element = require_element(from), shape = from.shape;
      values = [from](Index first, std::span<float> to) { widen(from, first, to); };
    }
  }
};

// Whether the adapter changes anything of a tensor.
enum class Touched { no, yes };

// The tensors of the merged model, on their way to its folder.
class MergedTensors {
 public:
  MergedTensors(Coding base, Coding into, std::optional<ScaleForm> form) : base_(base), into_(into), form_(form) {}

  // 'values' are those of the base where the adapter changes nothing.
  void add(const BaseTensor& base, const FloatSource& values, Touched touched) {
    const std::string& name = base.tensor->name;
    if (into_ == Coding::dense || !quantizes(base)) {
      tensors_.push_back({name, base.element, base.shape, {}, values});
    } else if (stays(base) && touched == Touched::no) {
      keep(base.codes).add_to(tensors_, name, base.element);
    } else {
      const Index rows = base.shape[0], cols = base.shape[1];
      const ScaleForm form = form_of(base);
      const CodedMatrix& stored = keep(std::make_shared<CodedMatrix>(into_, form, rows, cols, values));
      kept_.back()->add_to(tensors_, name, base.element);
      std::shared_ptr<CodedMatrix> again;  // what is not changed keeps its share whatever this would be
      if (!stays(base)) other_codes_ = true;
      if (!stays(base) && touched == Touched::yes)
        again = std::make_shared<CodedMatrix>(into_, form, rows, cols, base.values);
      losses_.push_back(matrix_loss(name, rows * cols, base.values, values,
                                    again ? FloatSource(std::cref(*again)) : base.values, std::cref(stored)));
    }
  }
  void add(TensorToWrite tensor) { tensors_.push_back(std::move(tensor)); }

  void settle(Json& config) const {
    if (into_ == Coding::dense) config.erase("quantization_config");
    if (!other_codes_) return;
    const char* const key = config.contains("torch_dtype") ? "torch_dtype" : "dtype";
    const bool known = config.contains(key) && config[key].is_string();
    const ScaleForm form = kept_.back()->form();
    const Json before = config.contains("quantization_config") ? config["quantization_config"] : Json::object();
    Json& now = config["quantization_config"];
    now = quantization_config(into_, form, known ? config[key].get<std::string>() : "float32");
    const char* const skipped = "llm_int8_skip_modules";
    if (before.is_object() && before.contains(skipped)) now[skipped] = before[skipped];
  }
  const std::vector<TensorToWrite>& tensors() const { return tensors_; }
  std::vector<MatrixLoss> losses() && { return std::move(losses_); }

 private:
  ScaleForm form_of(const BaseTensor& base) const {
    if (form_ && four_bits(into_)) return *form_;
    return merged_form(into_, base.codes ? base.codes->codes() : Codes{});
  }
  // Whether the result is in the codes that the base is in.
  bool stays(const BaseTensor& base) const {
    return base.codes && base_ == into_ && base.codes->form() == form_of(base);
  }
  // Every linear layer but the head, or of a quantized base what was quantized.
  bool quantizes(const BaseTensor& base) const {
    if (base_ != Coding::dense) return base.codes != nullptr;
    const std::string& name = base.tensor->name;
    return base.shape.size() == 2 && name.ends_with(".weight") && name.find(".layers.") != std::string::npos;
  }
  CodedMatrix& keep(std::shared_ptr<CodedMatrix> matrix) {
    kept_.push_back(std::move(matrix));
    return *kept_.back();
  }

  Coding base_, into_;
  std::optional<ScaleForm> form_;
  bool other_codes_ = false;
  std::vector<TensorToWrite> tensors_;
  std::vector<std::shared_ptr<CodedMatrix>> kept_;  // until they are written
  std::vector<MatrixLoss> losses_;
};

// 'folder' is one that a NewFolder builds; the result loads as a model of its own: dense, or quantized, and then what
// each matrix that was quantized anew lost is returned. In 4 bits scales are of the form 'scales', or as merged_form()
// says.
inline std::vector<MatrixLoss> merge_adapter(const std::filesystem::path& base, const std::filesystem::path& adapter,
                                             const std::filesystem::path& folder, Coding into = Coding::dense,
                                             std::optional<ScaleForm> scales = std::nullopt) {
  const bool dora = peft_kind(adapter) == PeftKind::dora;
  const Lora<> lora = dora ? read_peft_dora(adapter).lora : read_peft_config(adapter);
  const WeightFolder weights(base);
  const std::filesystem::path adapter_path = adapter / "adapter_model.safetensors";
  const SafetensorsFile deltas(adapter_path);
  const auto scale = static_cast<float>(lora.scale());
  Json config = read_json(base / "config.json");
  const Coding coding = coding_of(weights);
  std::set<std::string> used;
  const auto take = [&](const std::string& name) {
    const TensorInfo* tensor = deltas.find(name);
    if (tensor) refuse_non_finite(*tensor), used.insert(name);
    return tensor;
  };

  // A classifier has a score head in place of the language head, and a config.json that names its labels.
  const std::string score = std::string(peft_prefix) + "score.weight";
  const bool classifier = deltas.find(score) != nullptr;
  if (classifier) config = merged_score_config(base, adapter, *deltas.find(score));

  MergedTensors merged(coding, into, scales);
  for (const TensorInfo& tensor : weights.tensors()) {
    if (classifier && tensor.name == "lm_head.weight") continue;
    if (tensor.element) refuse_non_finite(tensor);
    if (coding != Coding::dense && is_code_part(weights, tensor, coding)) continue;
    const BaseTensor from(weights, tensor, coding);
    const std::string_view ending = ".weight";
    const std::string path =
        tensor.name.ends_with(ending) ? tensor.name.substr(0, tensor.name.size() - ending.size()) : "";
    const TensorInfo* a = path.empty() ? nullptr : take(peft_prefix + path + ".lora_A.weight");
    const TensorInfo* b = path.empty() ? nullptr : take(peft_prefix + path + ".lora_B.weight");
    const TensorInfo* magnitude = dora && a ? take(peft_prefix + path + ".lora_magnitude_vector") : nullptr;
    const TensorInfo* whole = take(peft_name(lora, tensor.name));  // a trained bias, or a module that was saved whole
    if (whole) {
      require(whole->shape == from.shape, Fault::data, "weights.shape",
              "{}: tensor '{}' has shape {} but the base has {}; "
              "the adapter was made for another model",
              adapter_path.string(), whole->name, shape_text(whole->shape), shape_text(from.shape));
      merged.add(
          from, [source = *whole](Index first, std::span<float> to) { widen(source, first, to); }, Touched::yes);
    } else if (a || b) {
      require(a && b, Fault::data, "merge.shape",
              "{}: '{}' has lora_A or lora_B but not both; expected the two; the file was cut or put together wrongly",
              adapter_path.string(), tensor.name);
      require(from.shape.size() == 2 && a->shape == std::vector<Index>{lora.rank, from.shape[1]} &&
                  b->shape == std::vector<Index>{from.shape[0], lora.rank},
              Fault::data, "merge.shape",
              "{}: lora_A {} and lora_B {} do not fit '{}' {} at rank {}; the adapter was made for "
              "another model",
              adapter_path.string(), shape_text(a->shape), shape_text(b->shape), tensor.name, shape_text(from.shape),
              lora.rank);
      require(!dora || (magnitude && magnitude->shape == std::vector<Index>{from.shape[0]}), Fault::data, "merge.shape",
              "{}: the lora_magnitude_vector of '{}' is {}; expected [{}]", adapter_path.string(), tensor.name,
              magnitude ? shape_text(magnitude->shape) : "missing", from.shape[0]);
      const auto matrix =
          std::make_shared<MergedMatrix>(MergedMatrix{.weight = from.values,
                                                      .cols = from.shape[1],
                                                      .down = widen(*a),
                                                      .up = widen(*b),
                                                      .magnitude = magnitude ? widen(*magnitude) : std::vector<float>{},
                                                      .rank = lora.rank,
                                                      .scale = scale});
      merged.add(
          from, [matrix](Index first, std::span<float> to) { (*matrix)(first, to); }, Touched::yes);
    } else {
      merged.add(from, from.values, Touched::no);
    }
  }

  if (const TensorInfo* head = used.count(score) ? nullptr : take(score))
    merged.add({"score.weight", Element::f32, head->shape, {}, [source = *head](Index first, std::span<float> to) {
                  widen(source, first, to);
                }});
  // A tied model whose head was trained by itself is tied no longer, even where its file stores the head a second time.
  const std::string head = std::string(peft_prefix) + "lm_head.weight";
  if (used.count(head)) config["tie_word_embeddings"] = false;
  if (const TensorInfo* tensor = used.count(head) ? nullptr : take(head)) {
    const TensorInfo* table = weights.find("model.embed_tokens.weight");
    merged.add({"lm_head.weight",
                table ? require_element(*table) : Element::f32,
                tensor->shape,
                {},
                [source = *tensor](Index first, std::span<float> to) { widen(source, first, to); }});
    config["tie_word_embeddings"] = false;
  }
  for (const TensorInfo& tensor : deltas.tensors())
    require(used.count(tensor.name) == 1, Fault::data, "merge.unused",
            "{}: tensor '{}' has no place in {}; expected an "
            "adapter of this base model",
            adapter_path.string(), tensor.name, shown_path(base));

  merged.settle(config);
  if (config == read_json(base / "config.json"))
    copy_file_atomically(base / "config.json", folder / "config.json");
  else
    write_file_atomically(folder / "config.json", config.dump(2) + "\n");
  write_weights(folder, merged.tensors());
  copy_companions(base, folder);
  return std::move(merged).losses();
}

}  // namespace temper
