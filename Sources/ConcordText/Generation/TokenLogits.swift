/// A view of a model's scores of the next token, `[rows, vocabulary]`, row after row without gaps, whose softmax is the
/// distribution. Valid only inside the call that it is given to.
public enum TokenLogits {
    case float32(UnsafeBufferPointer<Float>)
    case float64(UnsafeBufferPointer<Double>)

    var count: Int {
        switch self {
        case .float32(let logits): logits.count
        case .float64(let logits): logits.count
        }
    }
}
