#include <xgrad/ops/define/internal/strided_copy.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include <xgrad/ops/define/internal/axis.hpp>
#include <xgrad/ops/kernels/kernels.hpp>

namespace xgrad::inline v0 {
namespace {

constexpr Index task_elements = 1 << 15;
constexpr Index tile = 16;  // rows and columns of a block that stays in the L1 cache while it is transposed

// The last two axes of a copy: rows x columns with their strides.
struct Plane {
  Index rows, columns;
  Index from_row, from_column, to_row, to_column;
};

// Copies n elements from every `step`-th element. The steps of common slices are constants, for which the compiler
// shuffles vectors.
template <class T>
void copy_every(const T* from, Index step, T* to, Index n) {
  const auto copy = [&](auto every) {
    for (Index i = 0; i < n; ++i) to[i] = from[i * every];
  };
  if (step == -1)
    copy(std::integral_constant<Index, -1>());
  else if (step == 2)
    copy(std::integral_constant<Index, 2>());
  else
    copy(step);
}

template <class T>
void copy_plane(const Plane& p, const T* from, T* to, Index first, Index last) {
  constexpr Index small_step = 16;  // several elements of a cache line are copied
  if (p.from_column == 1 && p.to_column == 1) {
    for (Index r = first; r < last; ++r) std::copy_n(from + r * p.from_row, p.columns, to + r * p.to_row);
  } else if (p.from_column == 0 && p.to_column == 1) {
    for (Index r = first; r < last; ++r) std::fill_n(to + r * p.to_row, p.columns, from[r * p.from_row]);
  } else if (sizeof(T) >= 4 && p.from_row == 1 && p.to_column == 1) {
    const auto transpose = sizeof(T) == 4 ? kernels().transpose_4 : kernels().transpose_8;
    transpose(from + first, p.from_column, to + first * p.to_row, p.to_row, last - first, p.columns);
  } else if (p.to_column == 1 && std::abs(p.from_column) <= small_step) {
    for (Index r = first; r < last; ++r) copy_every(from + r * p.from_row, p.from_column, to + r * p.to_row, p.columns);
  } else {
    for (Index r0 = first; r0 < last; r0 += tile) {
      for (Index c0 = 0; c0 < p.columns; c0 += tile) {
        for (Index r = r0; r < std::min(last, r0 + tile); ++r) {
          for (Index c = c0; c < std::min(p.columns, c0 + tile); ++c) {
            to[r * p.to_row + c * p.to_column] = from[r * p.from_row + c * p.from_column];
          }
        }
      }
    }
  }
}

template <class T>
void copy(const Shape& shape, const T* from, const Strides& from_strides, T* to, const Strides& to_strides,
          const Parallel& parallel) {
  // Merge neighboring axes that are contiguous in both layouts.
  int axes = 0;
  std::array<Index, Shape::max_rank + 2> extent{}, fs{}, ts{};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    if (shape[axis] == 1) continue;
    const auto before = static_cast<std::size_t>(axes - 1);
    if (axes > 0 && fs[before] == from_strides[a] * shape[axis] && ts[before] == to_strides[a] * shape[axis]) {
      extent[before] *= shape[axis];
      fs[before] = from_strides[a];
      ts[before] = to_strides[a];
    } else {
      const auto now = static_cast<std::size_t>(axes++);
      extent[now] = shape[axis];
      fs[now] = from_strides[a];
      ts[now] = to_strides[a];
    }
  }
  while (axes < 2) {  // a plane needs two axes: insert outer axes of extent 1
    std::copy_backward(extent.begin(), extent.begin() + axes, extent.begin() + axes + 1);
    std::copy_backward(fs.begin(), fs.begin() + axes, fs.begin() + axes + 1);
    std::copy_backward(ts.begin(), ts.begin() + axes, ts.begin() + axes + 1);
    extent[0] = 1;
    fs[0] = axes > 0 ? 0 : 1;
    ts[0] = axes > 0 ? 0 : 1;
    ++axes;
  }
  const auto r = static_cast<std::size_t>(axes - 2);
  const auto c = static_cast<std::size_t>(axes - 1);
  const Plane plane{extent[r], extent[c], fs[r], fs[c], ts[r], ts[c]};
  Index planes = 1;
  for (std::size_t axis = 0; axis < r; ++axis) planes *= extent[axis];
  const Index rows_per_task = std::max<Index>(1, task_elements / std::max<Index>(1, plane.columns));
  const Index tasks_per_plane = (plane.rows + rows_per_task - 1) / rows_per_task;
  const auto run = [&](Index which, Index first, Index last, Index column, Index columns) {
    Index from_offset = column * plane.from_column, to_offset = column * plane.to_column;
    for (std::size_t axis = r; axis-- > 0;) {
      from_offset += which % extent[axis] * fs[axis];
      to_offset += which % extent[axis] * ts[axis];
      which /= extent[axis];
    }
    Plane part = plane;
    part.columns = columns;
    copy_plane(part, from + from_offset, to + to_offset, first, last);
  };
  const Index planes_per_task = task_elements / std::max<Index>(1, plane.rows * plane.columns);
  if (plane.columns > task_elements) {
    const Index parts = (plane.columns + task_elements - 1) / task_elements;
    parallel.for_each(planes * plane.rows * parts, [&](Index task) {
      const Index row = task / parts % plane.rows, column = task % parts * task_elements;
      run(task / parts / plane.rows, row, row + 1, column, std::min(task_elements, plane.columns - column));
    });
  } else if (tasks_per_plane > 1) {
    parallel.for_each(planes * tasks_per_plane, [&](Index task) {
      const Index first = task % tasks_per_plane * rows_per_task;
      run(task / tasks_per_plane, first, std::min(plane.rows, first + rows_per_task), 0, plane.columns);
    });
  } else {
    for_each_in_stretches(parallel, planes, planes_per_task, [&](Index p) { run(p, 0, plane.rows, 0, plane.columns); });
  }
}

}  // namespace

void strided_copy(const Shape& shape, const void* from, const Strides& from_strides, void* to,
                  const Strides& to_strides, std::size_t element_bytes, const Parallel& parallel) {
  if (shape.elements() == 0) return;
  with_element(element_bytes, [&](auto zero) {
    using T = decltype(zero);
    copy(shape, static_cast<const T*>(from), from_strides, static_cast<T*>(to), to_strides, parallel);
  });
}

}  // namespace xgrad::inline v0
