import ConcordCore

/// A tensor to be saved: what the header says of it, and where its bytes come from.
public struct SafetensorsTensor {
    /// Takes bytes; may be called several times, with one chunk after another.
    public typealias Sink = (UnsafeRawBufferPointer) throws -> Void

    public let name: String
    public let dtype: DType
    public let shape: [Int]
    let produce: (Sink) throws -> Void

    /// A tensor whose bytes `produce` hands to the sink when the file is written: little-endian, row-major.
    ///
    /// Nothing is held until then, so a model on a device needs host memory for one tensor at a time only.
    public init(_ name: String, _ dtype: DType, _ shape: [Int], produce: @escaping (Sink) throws -> Void) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.produce = produce
    }

    /// A tensor of values in memory.
    public init<Element: BitwiseCopyable>(_ name: String, _ dtype: DType, _ shape: [Int], values: [Element]) {
        self.init(name, dtype, shape) { sink in try values.withUnsafeBytes(sink) }
    }
}
