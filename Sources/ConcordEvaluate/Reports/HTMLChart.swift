/// A picture of a report, drawn in the colours of its page.
public protocol HTMLChart: Sendable {
    /// The picture as one `<svg>` element.
    func svg() -> String
}
