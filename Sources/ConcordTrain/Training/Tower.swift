import ConcordNN

/// One of a dual encoder's two towers.
public enum Tower: String, Sendable, Hashable, CaseIterable {
    case image, text

    /// Where in a tower a parameter stands, from its input to its output.
    public enum Part: Sendable, Hashable {
        /// Patch, token, position and class embeddings, and a norm before the first block.
        case embeddings
        /// A block of the transformer, the first being 0.
        case block(Int)
        /// The norm behind the blocks, the pooling and the projection.
        case head
    }

    /// The first component of the names of the tower's parameters, but for the projection's.
    var root: String { self == .image ? "vision_model" : "text_model" }

    /// The first component of the names of the parameters that map to the embedding.
    var projection: String { self == .image ? "visual_projection" : "text_projection" }

    /// Where a parameter of a dual encoder stands; nil for those that belong to no tower: logit scale and bias.
    public static func place(of parameter: Parameter) -> (tower: Tower, part: Part)? {
        let name = parameter.name.split(separator: ".")
        for tower in allCases {
            if name[0] == tower.projection { return (tower, .head) }
            guard name[0] == tower.root, name.count > 1 else { continue }
            if ["embeddings", "pre_layrnorm"].contains(name[1]) { return (tower, .embeddings) }
            if name[1] == "encoder", name.count > 3, let block = Int(name[3]) { return (tower, .block(block)) }
            return (tower, .head)
        }
        return nil
    }
}
