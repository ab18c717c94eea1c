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
    ///   - layout: the checkpoint's spelling of the model's names.
    ///   - prefix: prefix of the parameters that it provides; empty for all.
    ///   - replacement: replaces the prefix in the checkpoint. The frozen text tower of a dual encoder reads
    ///     `text_model.…` from a sentence encoder, whose names have no prefix.
    ///   - isPartial: whether unused tensors are allowed, as when one tower of two is read.
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

    /// The checkpoint's place of a parameter; nil for one that it does not provide.
    func place(of parameter: String) -> StoredTensor? {
        guard parameter.hasPrefix(prefix) else { return nil }
        return layout.place(of: replacement + parameter.dropFirst(prefix.count))
    }

    /// Reads a parameter, whatever shape it has in the file; nil when it is not there. Throws `.fileSystem`.
    func tensor(at place: StoredTensor) throws(ConcordError) -> Tensor? {
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
