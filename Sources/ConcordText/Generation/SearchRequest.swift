/// A request with the model's own tokens where it left them open.
struct SearchRequest {
    /// Its place in the batch.
    let item: Int
    let prompt: [Int32]
    let options: GenerationOptions
    let stopTokens: [Int32]
}
