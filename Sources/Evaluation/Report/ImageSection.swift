import FoundationEssentials

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
