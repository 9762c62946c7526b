/// How a report looks: the colours follow the reader's choice of light or dark.
enum ReportStyle {
    /// Colours that lines take in turn: `c0` … of the sheet.
    static let colourCount = 6

    static let sheet: HTML = """
        :root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1d2125; --soft: #626a73; --rule: #dcdfe3;
          --c0: #2f66b3; --c1: #c96a1e; --c2: #2f8a57; --c3: #8350ad; --c4: #bd3f3f; --c5: #1f8a94;
          --t0: #8fb0d9; --t1: #d9993f; --t2: #b0567b; }
        @media (prefers-color-scheme: dark) { :root { --paper: #16191d; --ink: #dfe3e8; --soft: #98a1ab; --rule: #343a41;
          --c0: #74a5ea; --c1: #ee9a56; --c2: #6cc592; --c3: #bd93e3; --c4: #ee8181; --c5: #5fc3cd;
          --t0: #4d77ab; --t1: #d9993f; --t2: #c9709a; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
        h1 { margin: 0; font-size: 1.75rem; font-weight: 600; overflow-wrap: anywhere; }
        h2 { margin: 2.75rem 0 .75rem; padding-bottom: .25rem; border-bottom: 1px solid var(--rule); font-size: 1.2rem;
          font-weight: 600; }
        h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; font-weight: 600; }
        a { color: var(--c0); text-decoration: none; } a:hover { text-decoration: underline; }
        nav { margin-top: .4rem; font-size: .9rem; } nav a { margin-right: 1rem; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; margin: .5rem 0 1rem; font-size: .92rem; font-variant-numeric: tabular-nums; }
        th, td { padding: .3rem 1.2rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
        th { color: var(--soft); font-weight: 500; } td b { color: var(--soft); font-weight: 500; white-space: nowrap; }
        .number { text-align: right; white-space: nowrap; }
        code, pre { font: .88em/1.45 ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
        code { overflow-wrap: anywhere; }
        pre { margin: .5rem 0 1rem; padding: .8rem 1rem; overflow-x: auto; border: 1px solid var(--rule); border-radius: 4px; }
        small, .note, footer, figcaption { color: var(--soft); font-size: .87rem; }
        footer { margin-top: 3rem; }
        .remarks { padding: .6rem 1rem .6rem 2rem; border-left: 3px solid var(--c1); font-size: .92rem; }
        .state { font-weight: 600; } .finished { color: var(--c2); } .running { color: var(--c0); } .stopped { color: var(--c4); }
        progress { width: 9rem; vertical-align: middle; accent-color: var(--c0); }
        details { margin: .4rem 0; } summary { cursor: pointer; }
        figure { margin: 0; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem 1.5rem; }
        .chart figcaption { margin-left: 1rem; color: var(--ink); font-weight: 500; } .chart small { font-weight: 400; }
        .chart svg { display: block; width: 100%; height: auto; }
        .image { margin: 0 0 1.5rem; } .image img { max-width: 100%; height: auto; display: block; }
        .bar { width: 12rem; height: .8rem; }
        .legend { margin: .2rem 0 .8rem; font-size: .9rem; } .legend span { margin-right: 1.2rem; white-space: nowrap; }
        .legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; border-radius: 2px; vertical-align: -.08rem; }
        svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
        .grid { stroke: var(--rule); fill: none; } .axis { stroke: var(--soft); fill: none; }
        .mark { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 4 3; fill: none; }
        .gap { stroke: var(--c4); stroke-width: 1.5; fill: none; }
        .line, .raw { fill: none; stroke-linejoin: round; stroke-linecap: round; }
        .line { stroke-width: 1.8; } .raw { stroke-width: 1; opacity: .4; }
        .band { fill: transparent; } .band:hover { fill: var(--soft); fill-opacity: .13; }
        .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
        .c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
        .c0 circle, i.c0 { fill: var(--c0); background: var(--c0); } .c1 circle, i.c1 { fill: var(--c1); background: var(--c1); }
        .c2 circle, i.c2 { fill: var(--c2); background: var(--c2); } .c3 circle, i.c3 { fill: var(--c3); background: var(--c3); }
        .c4 circle, i.c4 { fill: var(--c4); background: var(--c4); } .c5 circle, i.c5 { fill: var(--c5); background: var(--c5); }
        rect.t0 { fill: var(--t0); } rect.t1 { fill: var(--t1); } rect.t2 { fill: var(--t2); }
        i.t0 { background: var(--t0); } i.t1 { background: var(--t1); } i.t2 { background: var(--t2); }
        @media print { details { display: block; } .wide { overflow: visible; } }
        """
}
