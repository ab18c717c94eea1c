/// What a stream of a caption brings.
public enum CaptionEvent: Sendable, Hashable {
    /// Text that joins the caption. All pieces put together are the text of the caption.
    case text(String)
    /// The end: the caption as a whole.
    case finished(ServedCaption)
}
