// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// The same elements in another shape; one entry may be -1. A view where the layout allows.
    public func reshaped(_ shape: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("reshape", [.tensor(self)], ["shape": .ints(shape)], file, line) {
            ctorch_reshape(handle, shape, shape.count, $0)
        }
    }

    /// A view with two axes swapped.
    public func transposed(_ first: Int, _ second: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("transpose.int", [.tensor(self)], ["dim0": .int(first), "dim1": .int(second)], file, line) {
            ctorch_transpose_int(handle, first, second, $0)
        }
    }

    /// A view whose axis `i` is axis `axes[i]` of this tensor.
    public func permuted(_ axes: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("permute", [.tensor(self)], ["dims": .ints(axes)], file, line) {
            ctorch_permute(handle, axes, axes.count, $0)
        }
    }

    /// A view with an axis of length 1 inserted at `axis`.
    public func unsqueezed(_ axis: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("unsqueeze", [.tensor(self)], ["dim": .int(axis)], file, line) {
            ctorch_unsqueeze(handle, axis, $0)
        }
    }

    /// A view without `axis`, if its length is 1.
    public func squeezed(_ axis: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("squeeze.dim", [.tensor(self)], ["dim": .int(axis)], file, line) {
            ctorch_squeeze_dim(handle, axis, $0)
        }
    }

    /// A view without the axes of length 1.
    public func squeezed(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("squeeze", [.tensor(self)], [:], file, line) {
            ctorch_squeeze(handle, $0)
        }
    }

    /// The axes `from` through `to` joined into one.
    public func flattened(from: Int = 0, to: Int = -1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("flatten.using_ints", [.tensor(self)], ["start_dim": .int(from), "end_dim": .int(to)], file, line) {
            ctorch_flatten_using_ints(handle, from, to, $0)
        }
    }

    /// `axis` split into axes of the given sizes; one may be -1.
    public func unflattened(axis: Int, into: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("unflatten.int", [.tensor(self)], ["dim": .int(axis), "sizes": .ints(into)], file, line) {
            ctorch_unflatten_int(handle, axis, into, into.count, $0)
        }
    }

    /// This tensor with its elements in row-major order, copied only if they are not.
    public func contiguous(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("contiguous", [.tensor(self)], [:], file, line) {
            ctorch_contiguous(handle, $0)
        }
    }

    /// A view with axes of length 1 repeated to `shape`, without copying; -1 keeps an axis.
    public func expanded(to shape: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("expand", [.tensor(self)], ["size": .ints(shape)], file, line) {
            ctorch_expand(handle, shape, shape.count, $0)
        }
    }

    /// A view broadcast to `shape`, without copying.
    public func broadcast(to shape: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("broadcast_to", [.tensor(self)], ["size": .ints(shape)], file, line) {
            ctorch_broadcast_to(handle, shape, shape.count, $0)
        }
    }

    /// A copy with every axis repeated as often as `counts` says.
    public func repeated(_ counts: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("repeat", [.tensor(self)], ["repeats": .ints(counts)], file, line) {
            ctorch_repeat(handle, counts, counts.count, $0)
        }
    }

    /// A copy in which every slice along `axis` comes `count` times in a row.
    public func repeatInterleaved(
        _ count: Int, axis: Int?, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "repeat_interleave.self_int", [.tensor(self)], ["repeats": .int(count), "dim": .int(axis)], file, line
        ) {
            ctorch_repeat_interleave_self_int(handle, count, axis ?? 0, axis != nil, $0)
        }
    }

    /// A view of the slices `from..<to` along `axis`. Bounds may be negative, and are clamped.
    public func sliced(
        axis: Int, from: Int = 0, to: Int? = nil, step: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "slice.Tensor", [.tensor(self)],
            ["dim": .int(axis), "start": .int(from), "end": .int(to), "step": .int(step)], file, line
        ) {
            ctorch_slice_Tensor(handle, axis, from, true, to ?? 0, to != nil, step, $0)
        }
    }

    /// A view of one slice along `axis`, without that axis.
    public func selected(axis: Int, at: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("select.int", [.tensor(self)], ["dim": .int(axis), "index": .int(at)], file, line) {
            ctorch_select_int(handle, axis, at, $0)
        }
    }

    /// A view of `count` slices along `axis`, beginning at `from`.
    public func narrowed(axis: Int, from: Int, count: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform(
            "narrow", [.tensor(self)], ["dim": .int(axis), "start": .int(from), "length": .int(count)], file, line
        ) {
            ctorch_narrow(handle, axis, from, count, $0)
        }
    }

    /// The slices of `axis` that the int64 or int32 tensor `indices` `[count]` names, copied.
    public func indexSelected(
        axis: Int, _ indices: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("index_select", [.tensor(self), .tensor(indices)], ["dim": .int(axis)], file, line) {
            ctorch_index_select(handle, axis, indices.handle, $0)
        }
    }

    /// Elements picked along `axis` by int64 `indices`, which has the result's shape.
    public func gathered(axis: Int, _ indices: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("gather", [.tensor(self), .tensor(indices)], ["dim": .int(axis)], file, line) {
            ctorch_gather(handle, axis, indices.handle, $0)
        }
    }

    /// Elements picked along `axis` by int64 `indices`, broadcast on the other axes.
    public func takeAlong(axis: Int?, _ indices: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("take_along_dim", [.tensor(self), .tensor(indices)], ["dim": .int(axis)], file, line) {
            ctorch_take_along_dim(handle, indices.handle, axis ?? 0, axis != nil, $0)
        }
    }

    /// A copy to which the elements of `source` are added at the places along `axis` that `indices` names.
    public func scatterAdded(
        axis: Int, _ indices: Tensor, _ source: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("scatter_add", [.tensor(self), .tensor(indices), .tensor(source)], ["dim": .int(axis)], file, line) {
            ctorch_scatter_add(handle, axis, indices.handle, source.handle, $0)
        }
    }

    /// A copy with the elements of `source` at the places along `axis` that `indices` names.
    public func scattered(
        axis: Int, _ indices: Tensor, _ source: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("scatter.src", [.tensor(self), .tensor(indices), .tensor(source)], ["dim": .int(axis)], file, line) {
            ctorch_scatter_src(handle, axis, indices.handle, source.handle, $0)
        }
    }

    /// A copy with `value` at the places along `axis` that `indices` names.
    public func scattered(
        axis: Int, _ indices: Tensor, _ value: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "scatter.value", [.tensor(self), .tensor(indices)], ["dim": .int(axis), "value": .double(value)], file, line
        ) {
            ctorch_scatter_value(handle, axis, indices.handle, value, $0)
        }
    }

    /// A copy to which the slices of `source` are added at the slices of `axis` that `indices` `[count]` names.
    public func indexAdded(
        axis: Int, _ indices: Tensor, _ source: Tensor, scale: Double = 1, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "index_add", [.tensor(self), .tensor(indices), .tensor(source)],
            ["dim": .int(axis), "alpha": .double(scale)], file, line
        ) {
            ctorch_index_add(handle, axis, indices.handle, source.handle, scale, $0)
        }
    }

    /// A copy with the slices of `source` in place of those of `axis` that `indices` `[count]` names.
    public func indexCopied(
        axis: Int, _ indices: Tensor, _ source: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("index_copy", [.tensor(self), .tensor(indices), .tensor(source)], ["dim": .int(axis)], file, line) {
            ctorch_index_copy(handle, axis, indices.handle, source.handle, $0)
        }
    }

    /// The tensors one after another along an existing `axis`.
    public static func concatenated(
        _ tensors: [Tensor], axis: Int = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("cat", [.list(tensors)], ["dim": .int(axis)], file, line) {
            ctorch_cat(handles(tensors), tensors.count, axis, $0)
        }
    }

    /// The tensors, all of one shape, along a new `axis`.
    public static func stacked(
        _ tensors: [Tensor], axis: Int = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("stack", [.list(tensors)], ["dim": .int(axis)], file, line) {
            ctorch_stack(handles(tensors), tensors.count, axis, $0)
        }
    }

    /// Views of `axis` cut into at most `count` parts of equal length; the last may be shorter.
    public func chunked(_ count: Int, axis: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        performList("chunk", [.tensor(self)], ["chunks": .int(count), "dim": .int(axis)], file, line) {
            ctorch_chunk(handle, count, axis, $0, $1)
        }
    }

    /// Views of `axis` cut into parts of the given lengths.
    public func split(sizes: [Int], axis: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        performList("split_with_sizes", [.tensor(self)], ["split_sizes": .ints(sizes), "dim": .int(axis)], file, line) {
            ctorch_split_with_sizes(handle, sizes, sizes.count, axis, $0, $1)
        }
    }

    /// Views of every slice along `axis`, without that axis.
    public func unstacked(axis: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        performList("unbind.int", [.tensor(self)], ["dim": .int(axis)], file, line) {
            ctorch_unbind_int(handle, axis, $0, $1)
        }
    }

    /// A copy with the order along `axes` reversed.
    public func flipped(axes: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("flip", [.tensor(self)], ["dims": .ints(axes)], file, line) {
            ctorch_flip(handle, axes, axes.count, $0)
        }
    }

    /// A copy shifted along `axes`; what leaves at one end enters at the other.
    public func rolled(by: [Int], axes: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("roll", [.tensor(self)], ["shifts": .ints(by), "dims": .ints(axes)], file, line) {
            ctorch_roll(handle, by, by.count, axes, axes.count, $0)
        }
    }

    /// A copy with zeros above `diagonal` of the last two axes.
    public func triangularLower(diagonal: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("tril", [.tensor(self)], ["diagonal": .int(diagonal)], file, line) {
            ctorch_tril(handle, diagonal, $0)
        }
    }

    /// A copy with zeros below `diagonal` of the last two axes.
    public func triangularUpper(diagonal: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("triu", [.tensor(self)], ["diagonal": .int(diagonal)], file, line) {
            ctorch_triu(handle, diagonal, $0)
        }
    }

    /// A view of a diagonal of two axes, as the last axis.
    public func diagonal(
        offset: Int = 0, axis1: Int = 0, axis2: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "diagonal", [.tensor(self)], ["offset": .int(offset), "dim1": .int(axis1), "dim2": .int(axis2)], file, line
        ) {
            ctorch_diagonal(handle, offset, axis1, axis2, $0)
        }
    }

    /// A copy with `value` around it: `amounts` holds (before, after) for the last axis, then for the one before it.
    public func padded(
        _ amounts: [Int], value: Double = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("constant_pad_nd", [.tensor(self)], ["pad": .ints(amounts), "value": .double(value)], file, line) {
            ctorch_constant_pad_nd(handle, amounts, amounts.count, value, $0)
        }
    }

    /// A view of windows of `size` elements every `step` along `axis`; the window is the new last axis.
    public func unfolded(axis: Int, size: Int, step: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform(
            "unfold", [.tensor(self)], ["dimension": .int(axis), "size": .int(size), "step": .int(step)], file, line
        ) {
            ctorch_unfold(handle, axis, size, step, $0)
        }
    }

    /// Matrices with the last axis on a diagonal and zeros elsewhere.
    public func diagonalEmbedded(offset: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("diag_embed", [.tensor(self)], ["offset": .int(offset)], file, line) {
            ctorch_diag_embed(handle, offset, $0)
        }
    }

    /// Int64 zeros with a one where the int64 element points, on a new last axis of length `classes`.
    public func oneHot(classes: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("one_hot", [.tensor(self)], ["num_classes": .int(classes)], file, line) {
            ctorch_one_hot(handle, classes, $0)
        }
    }

    /// A copy with its own memory, through which gradients flow.
    public func cloned(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("clone", [.tensor(self)], [:], file, line) {
            ctorch_clone(handle, $0)
        }
    }

    /// A view that is cut off from the gradient graph.
    public func detached(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("detach", [.tensor(self)], [:], file, line) {
            ctorch_detach(handle, $0)
        }
    }
}
