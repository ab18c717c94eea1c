import ConcordCheckpoint
import ConcordCore
import ConcordText

/// The caption graphs in the middle of captions, for `TokenGenerator`: a row for each picture to begin with.
final class ExportedCaptionSession: DecodingSession {
    private let graphs: CaptionGraphs
    /// The pictures' tokens `[rows, pictureTokens, tokenWidth]`; nil after the first read, which makes `cross` of them.
    private var pictureTokens: OnnxValue?
    /// Keys and values of each layer: of the tokens so far, and of the picture. Empty before the first read.
    private var past: [OnnxValue] = []
    private var cross: [OnnxValue] = []
    /// The picture of each row.
    private var pictures: [Int]
    /// How many tokens each row has.
    private var count = 0

    /// - Parameter tokens: of the pictures, `[pictures, pictureTokens, tokenWidth]`.
    init(_ graphs: CaptionGraphs, tokens: OnnxValue) {
        self.graphs = graphs
        pictureTokens = tokens
        pictures = Array(0..<(tokens.shape.first ?? 0))
    }

    var vocabularySize: Int { graphs.text.vocabularySize }
    var contextLength: Int { graphs.text.contextLength }
    var startToken: Int32 { Int32(graphs.text.startToken) }
    var endToken: Int32 { Int32(graphs.text.endToken) }
    var padToken: Int32? { graphs.text.padToken == graphs.text.endToken ? nil : Int32(graphs.text.padToken) }
    var rowCount: Int { pictures.count }

    func select(rows: [Int]) throws(ConcordError) {
        for row in rows where !pictures.indices.contains(row) {
            throw ConcordError(.invalidArgument, "row \(row) was selected of \(pictures.count) rows")
        }
        let selected = rows.map { pictures[$0] }
        try pictureTokens?.select(rows: rows)
        for index in past.indices { try past[index].select(rows: rows) }
        // The beams of a picture change places among themselves at every token; what they see of it stays.
        if selected != pictures { for index in cross.indices { try cross[index].select(rows: rows) } }
        pictures = selected
    }

    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        let rows = pictures.count
        guard rows > 0, !tokens.isEmpty, tokens.count.isMultiple(of: rows) else {
            throw ConcordError(.invalidArgument, "\(tokens.count) tokens for \(rows) rows; give as many to each")
        }
        let added = tokens.count / rows
        guard count + added <= contextLength else {
            throw ConcordError(
                .invalidArgument,
                "a caption of \(count + added) tokens is longer than the \(contextLength) that the model was made for; "
                    + "ask for fewer tokens")
        }
        let ids = try OnnxValue(of: Int64.self, shape: [rows, added]) { buffer in
            for (index, token) in tokens.enumerated() { buffer[index] = Int64(token) }
        }
        let read: CaptionGraphs.Read
        if let pictureTokens {
            read = try graphs.first(pictureTokens, ids)
            cross = read.cross
            self.pictureTokens = nil
        } else {
            read = try graphs.next(ids, past: past, cross: cross)
        }
        past = read.past
        count += added
        try read.logits.withUnsafeBytes { bytes throws(ConcordError) in
            try body(.float32(bytes.bindMemory(to: Float.self)))
        }
    }
}
