/// How a file format spells and arranges the parameters of a model.
///
/// Models know their parameters by one set of names: those of transformers' `CLIPModel`, with `text_projection` and
/// `visual_projection` for whatever maps to the embedding, and those of `BertModel` for a BERT tower. A layout says
/// under which name, and in which form, a file holds each of them; one rule serves reading and writing.
public enum CheckpointLayout: Sendable, Hashable {
    /// transformers' `CLIPModel`, `BertModel` and their kin: the names are the model's own.
    case huggingFace
    /// transformers' `SiglipModel`: the text projection is the text model's head, the pooling's q, k and v are one.
    case huggingFaceSigLIP

    /// Where a file of this layout holds the parameter of that name.
    public func place(of parameter: String) -> TensorPlace {
        switch self {
        case .huggingFace: TensorPlace(parameter)
        case .huggingFaceSigLIP: Self.placeInSigLIP(parameter)
        }
    }
}
