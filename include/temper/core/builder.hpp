// SPDX-License-Identifier: MIT
// Builds layers: takes weights from a source (a folder's tensors, or nothing for a model that starts from scratch) and
// puts them where they belong; the account that it keeps makes loading a bijection (weight_account.hpp).
#pragma once
#include <algorithm>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/core/initial.hpp"
#include "temper/core/layer.hpp"
#include "temper/core/memory.hpp"
#include "temper/core/weight_account.hpp"

namespace temper {

struct LinearShape {
  Index in, out;
  bool bias = false;
};

// Weights of the model that are trained replace its own, or stand beside them, so that the model can be asked what it
// said before (Adapters::off).
enum class Base { replaced, kept };

// How what is trained of the model is held.
struct TrainedForm {
  Base base = Base::replaced;
  Precision precision = Precision::full;
  GradientForm gradients = {};
};

template <class B>
struct FrozenLinear;

// A stream on which work can be cut into pieces on the host.
template <class Stream>
concept RunsPieces = requires(Stream& stream, void (&piece)(Index)) {
  stream.parallel(Index{1}, piece);
  { stream.count() } -> std::convertible_to<int>;
};

template <class B>
class Builder {
 public:
  using Act = typename B::Activation;

  Builder(Memory<B>& memory, typename B::Stream& stream, const WeightSource* source, std::uint64_t seed,
          double initializer_range = 0.02, TrainedForm form = {})
      : memory_(memory),
        stream_(stream),
        source_(source),
        account_(source),
        seed_(seed),
        initializer_range_(initializer_range),
        form_(form) {}

  Memory<B>& memory() const { return memory_; }
  typename B::Stream& stream() const { return stream_; }
  std::uint64_t seed() const { return seed_; }
  bool has(std::string_view name) const { return source_ && source_->find(name).has_value(); }
  bool keeps_base() const { return form_.base == Base::kept; }
  bool trains_base() const { return trains_base_; }           // so far
  GradientForm gradients() const { return form_.gradients; }  // of a matrix whose gradient comes from one place
  // Of one whose gradient comes from several, so that it moves after backward.
  GradientForm held_gradients() const { return {Update::after_backward, form_.gradients.precision}; }

  // A weight matrix that is only read: the source's own bytes, in the source's own format.
  DenseMatrix<B> frozen_matrix(const std::string& name, Index rows, Index cols) {
    if (const auto tensor = take_dense(name, {rows, cols})) return stored_matrix(*tensor, rows, cols);
    const auto view = memory_.template allocate<Act, 2>(Holder::frozen_weights, {rows, cols});
    fill(view, name, normal(initializer_range_));
    return view;
  }

  // A weight matrix that is only read, as codes: the source's own, or its values quantized piece by piece on their way
  // from the file, or initial ones. What a quantized source left dense stays so.
  WeightMatrix<B> coded_matrix(const std::string& name, Index rows, Index cols, Coding coding, ScaleForm form) {
    const auto tensor = take(name, {rows, cols});
    if (tensor && source_->coding() != Coding::dense) {
      require(source_->coding() == coding, Fault::usage, "storage.coding",
              "{}: the weights are {} already but {} is asked for; expected {}, or the unquantized original",
              source_->description(), name_of(source_->coding()), name_of(coding), name_of(source_->coding()));
      if (tensor->codes.coding == Coding::dense) return stored_matrix(*tensor, rows, cols);
      return stored_codes(*tensor, rows, cols);
    }
    const Random random{seed_, random_site(name), 0};
    return quantized(rows, cols, coding, form, [&](Index begin, std::span<float> values) {
      if (tensor) return read(*tensor, begin, values);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = initial_value(normal(initializer_range_), random, cols, begin + static_cast<Index>(i));
    });
  }

  // A vector that is only read; small, so it is widened once.
  View<B, const Act, 1> frozen_vector(const std::string& name, Index size, Initial initial) {
    const auto view = memory_.template allocate<Act, 2>(Holder::frozen_weights, {1, size});
    load_or_fill(view, name, {size}, initial);
    return flat(view);
  }

  // A tensor of the model that is trained: the source's values, or initial ones when the model starts from scratch.
  Parameter<B> trained(const std::string& name, std::vector<Index> shape, Initial initial) {
    trains_base_ = true;
    return loaded(slot(name, std::move(shape), form_.precision), initial);
  }
  Parameter<B> trained_matrix(const std::string& name, Index rows, Index cols, GradientForm gradient = {}) {
    trains_base_ = true;
    return loaded(slot(name, {rows, cols}, form_.precision, gradient), normal(initializer_range_));
  }

  // A trained tensor of the model that its source may lack: a head that is new to it.
  Parameter<B> trained_if_there(const std::string& name, std::vector<Index> shape, Initial initial,
                                GradientForm gradient = {}) {
    Parameter<B> p = slot(name, std::move(shape), form_.precision, gradient);
    with_values(p, [&](auto values) {
      if (has(name))
        load_or_fill(values, name, p.shape, initial);
      else
        fill(values, name, initial);
    });
    return p;
  }

  // A new tensor that an adapter adds; the model's source has none of this name.
  Parameter<B> parameter(std::string_view path, std::string_view name, std::vector<Index> shape, Initial initial) {
    Parameter<B> p = slot(std::string(path) + "." + std::string(name), std::move(shape), Precision::full);
    fill(p.value, p.name, initial);
    return p;
  }

  // A trained copy of a tensor that stays in use elsewhere (a head saved beside a tied embedding).
  Parameter<B> trained_copy(const std::string& name, const std::string& of, Index rows, Index cols,
                            GradientForm gradient = {}) {
    Parameter<B> p = slot(name, {rows, cols}, form_.precision, gradient);
    with_values(p, [&](auto values) {
      if (const auto tensor = source_ ? source_->find(of) : std::nullopt)
        widen(values, *tensor);
      else
        fill(values, of, normal(initializer_range_));
    });
    return p;
  }

  // A new tensor whose rows begin as rows of one of the model's, taken by number.
  Parameter<B> parameter_of_rows(const std::string& name, const std::string& of, std::span<const Index> rows,
                                 Index cols) {
    Parameter<B> p = slot(name, {std::ssize(rows), cols}, Precision::full);
    if (const auto tensor = source_ ? source_->find(of) : std::nullopt)
      widen(p.value, *tensor, [&](Index i) { return rows[static_cast<std::size_t>(i / cols)] * cols + i % cols; });
    else
      fill(p.value, name, normal(initializer_range_));
    return p;
  }

  // The linear layer of the base model, with its bias where the shape says so; nothing of it is trained.
  template <class Storage = Dense>
  FrozenLinear<B> frozen(std::string_view path, LinearShape shape, const Storage& storage = {}) {
    FrozenLinear<B> layer{.weight = storage.matrix(*this, path, shape.out, shape.in), .bias = {}};
    if (shape.bias) layer.bias = frozen_vector(std::string(path) + ".bias", shape.out, zeros);
    return layer;
  }

  // Tensors that a file may hold although no slot needs them; a name that ends so is left over, not unused.
  void allow_left_over(std::string ending) { account_.allow_left_over(std::move(ending)); }

  // Called once when the model stands.
  void finish() const { account_.finish(); }

 private:
  std::optional<StoredTensor> take(const std::string& name, std::vector<Index> shape) {
    return account_.take(name, std::move(shape));
  }

  // What is trained, and what no storage was asked for, must be numbers.
  std::optional<StoredTensor> take_dense(const std::string& name, std::vector<Index> shape) {
    auto tensor = take(name, std::move(shape));
    require(!tensor || tensor->codes.coding == Coding::dense, Fault::usage, "weights.quantized",
            "{}: tensor '{}' is quantized ({}); expected a dense one; ask for the storage {}, or take the unquantized "
            "original",
            source_ ? source_->description() : "", name, tensor ? name_of(tensor->codes.coding) : "",
            tensor ? name_of(tensor->codes.coding) : "");
    return tensor;
  }

  DenseMatrix<B> stored_matrix(const StoredTensor& tensor, Index rows, Index cols) {
    if (reinterpret_cast<std::uintptr_t>(tensor.data) % bytes_of(tensor.element) != 0)
      return aligned_copy(tensor, rows, cols);
    memory_.note(Holder::frozen_weights,
                 Arena::rounded(static_cast<std::size_t>(rows * cols) * bytes_of(tensor.element)));
    return {tensor.data, tensor.element, rows, cols};
  }

  template <class T>
  T* copied(const T* values, std::size_t bytes) {
    const auto view = memory_.template allocate<T, 1>(Holder::frozen_weights, {static_cast<Index>(bytes / sizeof(T))});
    if (values && !memory_.planning()) B::upload(stream_, view.data, values, bytes);
    return view.data;
  }

  // Codes stay where they lie; scales need not be aligned there.
  WeightMatrix<B> stored_codes(const StoredTensor& tensor, Index rows, Index cols) {
    Codes codes = tensor.codes;
    const CodedBytes bytes = coded_bytes(codes.coding, codes.scales.form, rows, cols);
    memory_.note(Holder::frozen_weights, Arena::rounded(bytes.codes));
    codes.scales.values = copied(codes.scales.values, bytes.scales);
    if (bytes.scale_codes) codes.scales.codes = copied(codes.scales.codes, bytes.scale_codes);
    return {static_cast<const std::uint8_t*>(tensor.data), codes, rows, cols};
  }

  // read(begin, floats) gives elements of the flattened matrix; no more than a piece for each thread is
  // held as floats.
  template <class Read>
  WeightMatrix<B> quantized(Index rows, Index cols, Coding coding, ScaleForm form, Read&& read_piece) {
    const CodedBytes bytes = coded_bytes(coding, form, rows, cols);
    auto* const data = copied<std::uint8_t>(nullptr, bytes.codes);
    auto* const scales = copied<float>(nullptr, bytes.scales);
    auto* const scale_codes = bytes.scale_codes ? copied<std::uint8_t>(nullptr, bytes.scale_codes) : nullptr;
    Codes codes{coding, {form, scales, scale_codes, 0}};
    if (memory_.planning()) return {data, codes, rows, cols};

    const auto keep_codes = [&](Index at, std::span<const std::uint8_t> made) {
      B::upload(stream_, data + at, made.data(), made.size());
    };
    std::vector<float> largest = [&] {
      if constexpr (RunsPieces<typename B::Stream>)
        return quantize_pieces(stream_, coding, rows, cols, read_piece, keep_codes);
      else
        return quantize_pieces(OneThread{}, coding, rows, cols, read_piece, keep_codes);
    }();
    if (form == ScaleForm::plain) {
      B::upload(stream_, scales, largest.data(), bytes.scales);
    } else {
      std::vector<float> values(bytes.scales / sizeof(float));
      std::vector<std::uint8_t> coded(bytes.scale_codes);
      codes.scales.offset = quantize_scales(largest, coded.data(), values.data());
      B::upload(stream_, scale_codes, coded.data(), bytes.scale_codes);
      B::upload(stream_, scales, values.data(), bytes.scales);
    }
    return {data, codes, rows, cols};
  }

  // Old files may put tensors at odd addresses; products read elements where they lie, so these are moved.
  DenseMatrix<B> aligned_copy(const StoredTensor& tensor, Index rows, Index cols) {
    const Index bytes = rows * cols * static_cast<Index>(bytes_of(tensor.element));
    const auto block = memory_.template allocate<std::byte, 1>(Holder::frozen_weights, {bytes});
    if (!memory_.planning()) B::upload(stream_, block.data, tensor.data, block.bytes());
    return {block.data, tensor.element, rows, cols};
  }

  Parameter<B> slot(std::string name, std::vector<Index> shape, Precision precision, GradientForm gradient = {}) {
    const std::array<Index, 2> extents = {shape.size() == 2 ? shape[0] : 1, shape.back()};
    Parameter<B> p{.name = std::move(name), .shape = std::move(shape)};
    p.update = gradient.update;
    p.gradient.shape = extents;
    if (precision == Precision::bf16 && p.is_matrix()) {
      p.narrow = memory_.template allocate<bf16, 2>(Holder::trained_weights, extents);
      p.value.shape = extents;
    } else {
      p.value = memory_.template allocate<Act, 2>(Holder::trained_weights, extents);
    }
    if (gradient.update == Update::in_backward) return p;
    if (gradient.precision == Precision::bf16 && p.is_narrow())
      p.narrow_gradient = memory_.template allocate<bf16, 2>(Holder::gradients, extents);
    else
      p.gradient = memory_.template allocate<Act, 2>(Holder::gradients, extents);
    return p;
  }

  Parameter<B> loaded(Parameter<B> p, Initial initial) {
    with_values(p, [&](auto values) { load_or_fill(values, p.name, p.shape, initial); });
    return p;
  }

  // Where the parameter's values lie, in the type in which they are held.
  template <class Use>
  static void with_values(Parameter<B>& p, Use&& use) {
    if (p.is_narrow())
      use(p.narrow);
    else
      use(p.value);
  }

  template <class T>
  void load_or_fill(View<B, T, 2> view, const std::string& name, const std::vector<Index>& shape, Initial initial) {
    if (const auto tensor = take_dense(name, shape))
      widen(view, *tensor);
    else
      fill(view, name, initial);
  }

  // Bytes of a file need not be aligned.
  template <class T>
  static Act element_at(const void* data, Index i) {
    T value;
    std::memcpy(&value, static_cast<const std::byte*>(data) + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
    if constexpr (std::is_same_v<T, double>)
      return static_cast<Act>(value);
    else
      return static_cast<Act>(to_float(value));
  }
  template <class T>
  void widen(View<B, T, 2> view, const StoredTensor& tensor) {
    widen(view, tensor, [](Index i) { return i; });
  }
  template <class T, class From>
  void widen(View<B, T, 2> view, const StoredTensor& tensor, From&& from) {
    with_elements(view, [&](Index to) {
      const Index i = from(to);
      switch (tensor.element) {
        case Element::f32:
          return element_at<float>(tensor.data, i);
        case Element::bf16:
          return element_at<bf16>(tensor.data, i);
        case Element::f16:
          return element_at<f16>(tensor.data, i);
        default:
          return element_at<double>(tensor.data, i);
      }
    });
  }

  // values[i] = element begin + i
  static void read(const StoredTensor& tensor, Index begin, std::span<float> values) {
    const auto as = [&]<class T>(T) {
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(element_at<T>(tensor.data, begin + static_cast<Index>(i)));
    };
    switch (tensor.element) {
      case Element::f32:
        return as(float{});
      case Element::bf16:
        return as(bf16{});
      case Element::f16:
        return as(f16{});
      case Element::f64:
        return as(double{});
    }
  }

  template <class T>
  void fill(View<B, T, 2> view, const std::string& name, Initial initial) {
    const Random random{seed_, random_site(name), 0};
    with_elements(view, [&](Index i) { return static_cast<Act>(initial_value(initial, random, view.cols(), i)); });
  }

  // Values are made on the host and sent in pieces, so that building costs no second copy of a weight. Those that are
  // held in bf16 are the nearest of bf16.
  template <class T, class Value>
  void with_elements(View<B, T, 2> view, Value&& value) {
    if (memory_.planning()) return;
    constexpr Index piece = 1 << 16;
    std::vector<T> staging(static_cast<std::size_t>(std::min(view.size(), piece)));
    for (Index begin = 0; begin < view.size(); begin += piece) {
      const Index end = std::min(view.size(), begin + piece);
      for (Index i = begin; i < end; ++i) {
        T& staged = staging[static_cast<std::size_t>(i - begin)];
        if constexpr (std::is_same_v<T, bf16>)
          staged = to_bf16(static_cast<float>(value(i)));
        else
          staged = value(i);
      }
      B::upload(stream_, view.data + begin, staging.data(), static_cast<std::size_t>(end - begin) * sizeof(T));
    }
  }

  Memory<B>& memory_;
  typename B::Stream& stream_;
  const WeightSource* source_;
  WeightAccount account_;
  std::uint64_t seed_;
  double initializer_range_;
  TrainedForm form_;
  bool trains_base_ = false;
};

// y = x W^T + b, nothing trained: what a projection is where no adapter stands on it, and what adapters stand on.
template <class B>
struct FrozenLinear {
  WeightMatrix<B> weight;                         // [out, in]
  View<B, const typename B::Activation, 1> bias;  // [out] or empty

  void forward(Context<B>& ctx, In<B> x, Out<B> y) const {
    matmul(ctx, y, x, weight);
    if (!bias.empty()) add_row(ctx, y.view, bias);
  }
  void backward(Context<B>& ctx, In<B> dy, Out<B> dx) const { matmul_transposed(ctx, dx, dy, weight); }
};

}  // namespace temper
