/// A value in a graph: one of its inputs or constants, or the result of a node.
public struct OnnxEdge: Hashable, Sendable {
    /// Unique in its graph. The name in the file is another where ``OnnxGraphBuilder/output(_:as:_:_:)`` gives one.
    public let name: String
    /// Which builder made it, so that one cannot be used in another graph by mistake.
    let graph: ObjectIdentifier
}
