import Training

/// Lines over steps, as SVG. Nothing runs in the page: the numbers under the pointer are titles of invisible bands.
struct LineChart {
    /// How values are spread over the height.
    enum Spread {
        case linear, fromZero
        /// Logarithmic where the values span more than a factor of 30.
        case automatic
    }

    /// A step that something happened at.
    struct Mark {
        let step: Int
        let label: String
    }

    static let (width, height) = (640.0, 246.0)
    private static let (left, right, top, bottom) = (62.0, 24.0, 10.0, 26.0)
    private static let bandCount = 96

    let title: String
    let curves: [Curve]
    let marks: [Mark]
    let isSmoothed: Bool
    /// Quantity along the horizontal axis.
    private let unit: String
    private let across, up: Axis

    /// Nil without any finite value.
    init?(
        _ title: String, _ curves: [Curve], marks: [Mark] = [], spread: Spread = .automatic, isSmoothed: Bool = false,
        unit: String = "step"
    ) {
        let points = curves.flatMap(\.points)
        let values = points.compactMap(\.y)
        guard let low = values.min(), let high = values.max(), let first = points.map(\.x).min(),
            let last = points.map(\.x).max()
        else { return nil }
        (self.title, self.curves, self.marks, self.isSmoothed, self.unit) = (title, curves, marks, isSmoothed, unit)
        across = first == last ? Axis(first - 1...last + 1, count: 2) : Axis(first...last, count: 6)
        switch spread {
        case .automatic where low > 1e-100 && high < 1e100 && high / low > 30:
            up = Axis(low...high, .logarithmic, padding: 0.04)
        case .fromZero where low > 0: up = Axis(0...high * 1.05)
        case .automatic, .linear, .fromZero: up = Axis(low...high, padding: 0.05)
        }
    }

    var html: HTML {
        let scale: HTML = up.scale == .logarithmic ? " <small>logarithmic</small>" : ""
        let lines = curves.map { curve in
            let smoothed = isSmoothed ? curve.smoothed : []
            let raw = line(curve.points, curve, kind: smoothed.isEmpty ? "line" : "raw")
            return smoothed.isEmpty ? raw : raw + line(smoothed, curve, kind: "line")
        }
        return """
            <figure class="chart"><figcaption>\(title)\(scale)</figcaption>
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(pixels(Self.width)) \(pixels(Self.height))" \
            role="img" aria-label="\(title) over \(unit)s">
            \(grid)\(markLines)\(lines)\(gaps)\(bands)</svg></figure>

            """
    }

    private func x(_ step: Double) -> Double {
        Self.left + across.position(step) * (Self.width - Self.left - Self.right)
    }

    private func y(_ value: Double) -> Double {
        Self.height - Self.bottom - up.position(value) * (Self.height - Self.top - Self.bottom)
    }

    private var grid: HTML {
        let (left, right) = (pixels(Self.left), pixels(Self.width - Self.right))
        let (top, bottom) = (pixels(Self.top), pixels(Self.height - Self.bottom))
        let rows = up.ticks.map { tick in
            let at = pixels(y(tick.value))
            return """
                <path class="grid" d="M\(left) \(at)H\(right)"/>\
                <text x="\(pixels(Self.left - 6))" y="\(at)" dy="0.35em" text-anchor="end">\(tick.label)</text>

                """ as HTML
        }
        let columns = across.ticks.map { tick in
            let at = pixels(x(tick.value))
            return """
                <path class="grid" d="M\(at) \(top)V\(bottom)"/>\
                <text x="\(at)" y="\(pixels(Self.height - Self.bottom + 15))" text-anchor="middle">\(tick.label)</text>

                """ as HTML
        }
        return "<g>\(rows)\(columns)<path class=\"axis\" d=\"M\(left) \(top)V\(bottom)H\(right)\"/></g>\n"
    }

    private var markLines: [HTML] {
        marks.map { mark in (Double(mark.step), mark.label) }
            .filter { step, _ in step >= across.low && step <= across.high }
            .map { step, label in
                """
                <path class="mark" d="M\(pixels(x(step))) \(pixels(Self.top))V\(pixels(Self.height - Self.bottom))">\
                <title>\(label)</title></path>

                """
            }
    }

    /// A path through the points, broken where one is missing; a point alone is a dot.
    private func line(_ points: [Curve.Point], _ curve: Curve, kind: HTML) -> HTML {
        var (path, length) = ("", 0)
        for point in points.map({ Curve.Point(x($0.x), $0.y) }).thinned {
            guard let value = point.y else {
                if length == 1 { path += "h0" }
                length = 0
                continue
            }
            path += (length == 0 ? "M" : "L") + pixels(point.x) + " " + pixels(y(value))
            length += 1
        }
        if length == 1 { path += "h0" }
        let dots: HTML = kind == "line" && points.count <= 40 ? self.dots(points) : ""
        return "<g class=\"c\(curve.colour)\"><path class=\"\(kind)\" d=\"\(path)\"/>\(dots)</g>\n"
    }

    private func dots(_ points: [Curve.Point]) -> HTML {
        let dots = points.compactMap { point in
            point.y.map { "<circle cx=\"\(pixels(x(point.x)))\" cy=\"\(pixels(y($0)))\" r=\"2.2\"/>" as HTML }
        }
        return "\(dots)"
    }

    /// Where a value was not finite.
    private var gaps: [HTML] {
        curves.flatMap { curve in
            curve.points.filter { $0.y == nil }.map { Curve.Point(x($0.x).rounded(), $0.x) }.thinned.compactMap(\.y)
        }.map { step in
            """
            <path class="gap" d="M\(pixels(x(step) - 3)) \(pixels(Self.top))l6 6m0 -6l-6 6">\
            <title>step \(countText(Int(step))): not finite</title></path>

            """
        }
    }

    private var bands: HTML {
        let width = (Self.width - Self.left - Self.right) / Double(Self.bandCount)
        var texts = [[String]](repeating: [], count: Self.bandCount)
        for curve in curves {
            let groups = Dictionary(grouping: curve.points.filter { $0.y != nil }) { point in
                min(max(Int(across.position(point.x) * Double(Self.bandCount)), 0), Self.bandCount - 1)
            }
            for (band, points) in groups {
                texts[band].append(summary(points, curves.count > 1 ? curve.name : ""))
            }
        }
        let rows = texts.enumerated().filter { !$0.element.isEmpty }.map { band, lines in
            """
            <rect class="band" x="\(pixels(Self.left + Double(band) * width))" y="\(pixels(Self.top))" \
            width="\(pixels(width))" height="\(pixels(Self.height - Self.top - Self.bottom))">\
            <title>\(lines.joined(separator: "\n"))</title></rect>

            """ as HTML
        }
        return "<g>\(rows)</g>\n"
    }

    /// `step 1,200: 0.4312`, or over several points their mean, least and greatest value.
    private func summary(_ points: [Curve.Point], _ name: String) -> String {
        let values = points.compactMap(\.y)
        guard let first = points.first, let last = points.last, let low = values.min(), let high = values.max() else {
            return ""
        }
        let start = (name.isEmpty ? "" : name + ", ") + "\(unit) \(countText(Int(first.x)))"
        if values.count == 1 { return "\(start): \(valueText(low))" }
        let mean = values.reduce(0, +) / Double(values.count)
        return "\(start) to \(countText(Int(last.x))): \(valueText(mean)) (\(valueText(low)) to \(valueText(high)))"
    }
}

/// A length in an image, to a tenth of a pixel.
func pixels(_ length: Double) -> String { fixed(length, digits: 1) }
