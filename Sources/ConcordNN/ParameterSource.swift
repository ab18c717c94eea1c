import ConcordCheckpoint
import ConcordCore
import ConcordTensor

/// A checkpoint from which the parameters below a prefix are read.
public struct ParameterSource {
    let reader: CheckpointReader
    let layout: CheckpointLayout
    let prefix: String
    let replacement: String
    let isPartial: Bool

    /// - Parameters:
    ///   - layout: how the checkpoint spells the model's names.
    ///   - prefix: the parameters it is for: those whose names begin so; empty means all.
    ///   - replacement: what stands in the checkpoint for the prefix. The locked text tower of a dual encoder reads
    ///     `text_model.…` from a sentence encoder, whose names have nothing in front.
    ///   - isPartial: whether tensors that the model does not ask for are right, as when one tower is taken of two.
    public init(
        _ reader: CheckpointReader, layout: CheckpointLayout, prefix: String = "", replacement: String? = nil,
        isPartial: Bool = false
    ) {
        self.reader = reader
        self.layout = layout
        self.prefix = prefix
        self.replacement = replacement ?? prefix
        self.isPartial = isPartial
    }

    /// Where the checkpoint holds a parameter; nil for one that is not its business.
    func place(of parameter: String) -> TensorPlace? {
        guard parameter.hasPrefix(prefix) else { return nil }
        return layout.place(of: replacement + parameter.dropFirst(prefix.count))
    }

    /// Reads a parameter, whatever shape it has in the file; nil when it is not there. Throws `.fileSystem`.
    func tensor(at place: TensorPlace) throws(ConcordError) -> Tensor? {
        guard let found = reader[place.name], found.entry.shape.count >= place.leadingAxes,
            found.entry.shape.prefix(place.leadingAxes).allSatisfy({ $0 == 1 })
        else { return nil }
        var shape = Array(found.entry.shape.dropFirst(place.leadingAxes))
        if place.parts > 1 {
            guard let rows = shape.first, rows.isMultiple(of: place.parts) else { return nil }
            shape[0] = rows / place.parts
        }
        let tensor = Tensor.empty(shape, dtype: found.entry.dtype)
        let offset = found.entry.byteRange.count / place.parts * place.part
        // `withUnsafeMutableBytes` rethrows untyped, so the error is carried out by hand.
        let failure: ConcordError? = tensor.withUnsafeMutableBytes { bytes in
            do throws(ConcordError) { try found.read(at: offset, into: bytes) } catch { return error }
            return nil
        }
        if let failure { throw failure }
        // The kernels want rows without gaps.
        return place.isTransposed && shape.count == 2 ? tensor.transposed(0, 1).contiguous() : tensor
    }
}
