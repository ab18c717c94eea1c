import ConcordCore

extension ConcordError.Code {
    /// A file that is no ONNX model, is damaged, or uses operations that ONNX Runtime does not have.
    public static let invalidModel = Self(rawValue: "invalidModel")
    /// A run that ONNX Runtime could not finish.
    public static let inference = Self(rawValue: "inference")
    /// Work that was given up because its task was cancelled.
    public static let cancelled = Self(rawValue: "cancelled")
}
