/// One row of a caption file, as far as it could be understood.
struct CaptionRow {
    /// Why a row or a caption cannot be used.
    struct Problem: Error {
        let reason: SkippedRow.Reason
        let detail: String

        init(_ reason: SkippedRow.Reason, _ detail: String) {
            self.reason = reason
            self.detail = detail
        }
    }

    let image: String
    let split: String?
    let captions: [Result<Caption, Problem>]
    /// Whether a member that was read is there twice.
    var isAmbiguous = false
}
