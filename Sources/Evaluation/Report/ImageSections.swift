import FoundationEssentials

/// The layers as `lacuna inspect` measured them: coding rate and share of non-zeros before and after training, what heads
/// attend to, and how tokens vary.
struct LayerSection: ReportSection {
    let title = "Layers"

    func content(_ runs: [ReportedRun]) -> HTML {
        each(runs) { run in
            guard let found = run.layers else { return "" }
            return part(found.inspection) + "\(found.images.map(figure))"
        }
    }

    private func part(_ inspection: LayerInspection) -> HTML {
        let charts = [
            ("Coding rate before the attention step, nats", \LayerInspection.Row.rateMean),
            ("Share of non-zeros in the layer's output", \.nonzero),
        ].compactMap { title, value in
            LineChart(title, curves(inspection, value), spread: .fromZero, unit: "layer")
        }
        var table = HTMLTable(head: ["layer", "coding rate", "±", "at the start", "non-zero", "±", "at the start"])
        table.numbers = Set(0..<7)
        for (row, start) in zip(inspection.layers, inspection.start) {
            table.rows.append([
                "\(row.layer)", "\(valueText(row.rateMean))", "\(row.rateStd.map { valueText($0) } ?? "–")",
                "\(valueText(start.rateMean))", "\(valueText(row.nonzero))", "\(valueText(row.zeroStd))",
                "\(valueText(start.nonzero))",
            ])
        }
        return """
            <p class="note">Step \(countText(inspection.step)), \(countText(inspection.images)) images of \
            \(inspection.data); ± over images.</p>
            \(CurveSection.legend(["trained", "at the start"]))<div class="charts">
            \(charts.map(\.html))</div>
            \(table.html)
            """
    }

    private func curves(
        _ inspection: LayerInspection, _ value: KeyPath<LayerInspection.Row, Double>
    ) -> [Curve] {
        func curve(_ name: String, _ colour: Int, _ rows: [LayerInspection.Row]) -> Curve {
            Curve(name: name, colour: colour, points: rows.map { Curve.Point(Double($0.layer), $0[keyPath: value]) })
        }
        return [curve("trained", 0, inspection.layers), curve("at the start", 1, inspection.start)]
    }

    private func figure(_ image: ReportedRun.Image) -> HTML {
        if let problem = image.problem { return "<p class=\"note\">\(image.name): \(problem)</p>\n" }
        let caption =
            image.name.contains("attention")
            ? "What the class token attends to: of each sample the image, then a map for each head"
            : "Principal components of the tokens in the subspaces: of each sample the image, the first component in "
                + "grey, the next three as red, green and blue"
        return """
            <figure class="image"><img alt="\(caption)" src="data:image/png;base64,\
            \(Data(image.bytes).base64EncodedString())"/>
            <figcaption>\(caption)</figcaption></figure>

            """
    }
}

/// The newest images of a run, inside the page.
struct ImageSection: ReportSection {
    let title = "Images"

    func content(_ runs: [ReportedRun]) -> HTML {
        each(runs) { run in "\(run.images.map(figure))" }
    }

    private func figure(_ image: ReportedRun.Image) -> HTML {
        let caption = caption(image.name)
        if let problem = image.problem { return "<p class=\"note\">\(image.name): \(problem)</p>\n" }
        return """
            <figure class="image"><img alt="\(caption)" src="data:image/png;base64,\
            \(Data(image.bytes).base64EncodedString())"/>
            <figcaption>\(caption)</figcaption></figure>

            """
    }

    /// `step-140.png` is what `lacuna reconstruct` draws.
    private func caption(_ name: String) -> String {
        let stem = name.hasSuffix(".png") ? String(name.dropLast(4)) : name
        guard stem.hasPrefix("step-"), let step = Int(stem.dropFirst(5)) else { return stem }
        return "Step \(countText(step)); of each sample from left to right: "
            + Reconstruction.titles.joined(separator: ", ")
    }
}
