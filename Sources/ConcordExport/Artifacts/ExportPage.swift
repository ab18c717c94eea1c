import ConcordCore
import ConcordEvaluate
import ConcordONNX
import ConcordRuntime

/// `report.html` of an export: its size, how closely it matches the model, and what quantization did to each layer.
package struct ExportPage: Sendable {
    package struct Graph: Sendable {
        package var role: ArtifactManifest.GraphRole
        /// The size of the graph with all its weights, in bytes.
        package var float32ByteCount, byteCount: Int
        /// Nil for a graph that stayed in float32.
        package var quantization: QuantizationReport?
        /// Nil for a float32 export.
        package var speed: GraphSpeed?

        package init(
            role: ArtifactManifest.GraphRole, float32ByteCount: Int, byteCount: Int,
            quantization: QuantizationReport? = nil, speed: GraphSpeed? = nil
        ) {
            self.role = role
            self.float32ByteCount = float32ByteCount
            self.byteCount = byteCount
            self.quantization = quantization
            self.speed = speed
        }
    }

    /// Recall@1 of images and captions, averaged over both directions.
    package struct Recall: Sendable {
        package var split: String
        package var float32, quantized: Double

        package init(split: String, float32: Double, quantized: Double) {
            self.split = split
            self.float32 = float32
            self.quantized = quantized
        }
    }

    package var name: String
    package var options: ExportOptions
    /// The version of ONNX Runtime.
    package var runtime: String
    package var parity: ExportParity
    /// In the order of roles.
    package var graphs: [Graph]
    /// Nil where it was not measured.
    package var recall: Recall?

    package init(
        name: String, options: ExportOptions, runtime: String, parity: ExportParity, graphs: [Graph],
        recall: Recall? = nil
    ) {
        self.name = name
        self.options = options
        self.runtime = runtime
        self.parity = parity
        self.graphs = graphs
        self.recall = recall
    }

    /// Creates the page of a finished export.
    ///
    /// - Parameter models: the graphs in float32.
    init(
        name: String, options: ExportOptions, runtime: String, parity: ExportParity,
        quantization: ExportQuantization?, graphs models: [ArtifactManifest.GraphRole: OnnxModel]
    ) {
        let graphs = ArtifactManifest.GraphRole.allCases.compactMap { role -> Graph? in
            guard let model = models[role] else { return nil }
            let byteCount = model.fileByteCount
            return Graph(
                role: role, float32ByteCount: byteCount,
                byteCount: quantization?.result.models[role]?.fileByteCount ?? byteCount,
                quantization: quantization?.result.reports[role], speed: quantization?.speeds[role])
        }
        self.init(
            name: name, options: options, runtime: runtime, parity: parity, graphs: graphs,
            recall: quantization?.result.recall.map {
                Recall(split: quantization?.split ?? "all", float32: $0.float32, quantized: $0.quantized)
            })
    }

    package var html: HTMLPage {
        var page = HTMLPage(
            title: "ONNX export of \(name)",
            subtitle: "\(options.precision.rawValue) · \(options.format.rawValue) · "
                + "\(options.usesFusedOperations ? "fused" : "standard") operations · ONNX Runtime \(runtime) · "
                + "Concord \(ConcordVersion.current)",
            sections: [.figures(figures)])
        if isQuantized {
            page.sections += [
                .heading("\(options.precision.rawValue) compared with float32"), .charts(comparisons), .table(measures),
            ]
            page.sections += layerSections
            if !histograms.isEmpty {
                page.sections += [
                    .heading("Similarity to float32 by sample"),
                    .paragraph(
                        "Cosine similarity of each sample's output in the quantized graph to its output in float32."),
                    .charts(histograms),
                ]
            }
        }
        page.sections += [.heading("float32 graphs compared with the model"), .table(parityTable)]
        return page
    }

    // MARK: - Head

    private var isQuantized: Bool { options.precision != .float32 }
    private var reports: [QuantizationReport] { graphs.compactMap(\.quantization) }
    private var layers: [QuantizationReport.Layer] { reports.flatMap(\.layers) }

    private var figures: [HTMLPage.Figure] {
        func sum(_ size: KeyPath<Graph, Int>) -> Int { graphs.reduce(0) { $0 + $1[keyPath: size] } }
        let bytes = sum(\.byteCount), ratio = Double(sum(\.float32ByteCount)) / Double(max(1, bytes))
        var figures: [HTMLPage.Figure] = [
            .init(
                NumberText.bytes(bytes),
                isQuantized ? "graphs, \(NumberText.fixed(ratio, decimals: 2))× smaller" : "graphs in float32")
        ]
        if let (graph, speed) = graphs.lazy.compactMap({ graph in graph.speed.map { (graph, $0) } }).first {
            figures.append(
                .init(
                    NumberText.fixed(speed.ratio, decimals: 2) + "×",
                    "speed of float32: \(Self.title(graph.role)) graph, batch of \(speed.rows)"))
        }
        if let recall {
            figures.append(
                .init(
                    Self.percent(recall.quantized),
                    "R@1, \(recall.split); float32: \(Self.percent(recall.float32))"))
        }
        if let mean = reports.map(\.after.meanCosine).min(), let worst = reports.map(\.after.worstCosine).min() {
            let kept = layers.count { $0.precision != options.precision }
            figures += [
                .init(
                    NumberText.fixed(mean, decimals: 5),
                    "lowest mean cosine to float32; worst sample: \(NumberText.fixed(worst, decimals: 5))"),
                .init(
                    kept == 0 ? "all" : "\(layers.count - kept)",
                    kept == 0
                        ? "\(layers.count) layers in int8, within the accuracy limits"
                        : "of \(layers.count) layers in int8, within the accuracy limits"),
            ]
        }
        let largest = [parity.images, parity.logits, parity.texts].compactMap { $0?.largestError }.max() ?? 0
        figures.append(
            .init(
                NumberText.significant(largest, digits: 2),
                "largest difference from libtorch; allowed: \(NumberText.significant(parity.tolerance, digits: 1))"))
        return figures
    }

    private var parityTable: HTMLTable {
        let rows: [(String, String, ExportParity.Measure?)] = [
            ("image", "images", parity.images), ("text", "texts", parity.texts),
            ("caption_prefill, caption_step", "tokens", parity.logits),
        ]
        let allowed = NumberText.significant(parity.tolerance, digits: 1)
        return HTMLTable(
            header: ["graph", "inputs", "kind", "largest difference", "allowed"],
            rows: rows.compactMap { graph, kind, measure in
                measure.map {
                    [graph, "\($0.inputs)", kind, NumberText.significant($0.largestError), allowed]
                }
            },
            caption: "ONNX Runtime compared with libtorch on the same inputs, by element of the unit vectors or logits."
                + (parity.logits == nil ? "" : " Caption tokens that differ: \(parity.differentTokens)."))
    }

    static func title(_ role: ArtifactManifest.GraphRole) -> String {
        role.rawValue.replacing("_", with: " ")
    }

    static func percent(_ share: Double) -> String { NumberText.fixed(100 * share, decimals: 1) + " %" }
}
