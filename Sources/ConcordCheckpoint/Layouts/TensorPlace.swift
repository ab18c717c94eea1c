/// Where a checkpoint file holds a parameter, and in which form.
public struct TensorPlace: Sendable, Hashable {
    /// The tensor's name in the file.
    public var name: String
    /// Which of `parts` equal slices of the tensor's first axis the parameter is.
    public var part: Int
    public var parts: Int
    /// Whether the file holds the parameter's transpose.
    public var isTransposed: Bool
    /// Axes of length 1 that the file has in front.
    public var leadingAxes: Int

    public init(_ name: String, part: Int = 0, of parts: Int = 1, isTransposed: Bool = false, leadingAxes: Int = 0) {
        self.name = name
        self.part = part
        self.parts = parts
        self.isTransposed = isTransposed
        self.leadingAxes = leadingAxes
    }

    /// The shape that the file's tensor has, given the parameter's.
    public func fileShape(_ shape: [Int]) -> [Int] {
        var shape = isTransposed ? Array(shape.reversed()) : shape
        if parts > 1, !shape.isEmpty { shape[0] *= parts }
        return Array(repeating: 1, count: leadingAxes) + shape
    }
}
