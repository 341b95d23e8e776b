/// The style sheet of the HTML report, for light and dark screens and for print.
enum Stylesheet {
    static let text: Markup = """
        :root {
          color-scheme: light dark;
          --paper: #fbfaf6; --sheet: #ffffff; --ink: #1d2721; --soft: #55615a; --rule: #dfe1d8;
          --leaf: #2b6a3c; --leaf-pale: #cfe4d2; --bare: #f0eee6; --twig: #a3a99c; --warn: #7d4e00;
          --s1: #9a5b10; --s2: #2f64a0; --s3: #87417c; --s4: #5d6670; --s5: #a33b3b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #121814; --sheet: #19211c; --ink: #e7ece6; --soft: #a7b2a9; --rule: #2f3a33;
            --leaf: #86cc92; --leaf-pale: #294631; --bare: #1f2822; --twig: #5d685f;
            --warn: #e3b565; --s1: #e0a458; --s2: #86b4e8; --s3: #d99ace; --s4: #b3bcc4;
            --s5: #ee9090;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
          font-variant-numeric: tabular-nums; overflow-wrap: break-word;
        }
        main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 5rem; }
        h1, h2, .figure { font-family: ui-serif, Charter, Georgia, "Times New Roman", serif; }
        h1 { font-size: 1.6rem; line-height: 1.15; font-weight: 600; margin: 0.1rem 0 0.4rem; }
        h2 {
          font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: 0 0 1rem;
        }
        h3 { font-size: 1rem; margin: 0 0 0.5rem; }
        p, ul { margin: 0 0 1rem; max-width: 44rem; }
        section { margin-top: 3rem; padding-top: 2rem; border-top: 1px solid var(--rule); }
        .eyebrow {
          color: var(--leaf); font-size: 0.8rem; font-weight: 600; letter-spacing: 0.08em;
          text-transform: uppercase; margin: 0;
        }
        .soft, figcaption, caption, .legend { color: var(--soft); font-size: 0.875rem; }
        .cards, .pictures {
          display: grid; gap: 1.25rem; margin: 1.5rem 0;
          grid-template-columns: repeat(auto-fit, minmax(min(100%, 17.5rem), 1fr));
        }
        .pictures { grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
        .card, figure {
          background: var(--sheet); border: 1px solid var(--rule); border-radius: 10px;
          padding: 1.25rem; margin: 0; min-width: 0; max-width: 34rem;
        }
        section.decision { margin-top: 0; padding-top: 0; border-top: 0; }
        .claim {
          font: 600 1.6rem/1.25 ui-serif, Charter, Georgia, "Times New Roman", serif;
          margin: 1rem 0; max-width: none;
        }
        .advice {
          border-left: 4px solid var(--warn); padding: 0.1rem 0 0.1rem 0.75rem; max-width: none;
        }
        .advice.caution strong { color: var(--warn); }
        .advice.good { border-color: var(--leaf); }
        .advice.good strong { color: var(--leaf); }
        .answers { display: grid; gap: 1.25rem; margin: 1rem 0 1.5rem; }
        .answers dl { grid-template-columns: 1fr; gap: 0; margin: 0; align-content: start; }
        .answers dt { font-size: 0.8125rem; font-weight: 600; }
        .answers dd { text-align: left; margin-bottom: 0.55rem; line-height: 1.4; }
        .answers figure { order: 1; }
        @media (min-width: 50rem) {
          .answers { grid-template-columns: 1fr 1.15fr; }
        }
        a { color: var(--leaf); }
        .figure { font-size: 2rem; line-height: 1.05; font-weight: 600; }
        .figure small { font-size: 1rem; font-weight: 400; }
        .verdict { font-weight: 600; color: var(--leaf); margin: 0.4rem 0 0.6rem; }
        .verdict.missed, .figure.missed, .warning { color: var(--warn); }
        dl {
          display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 0.75rem;
          margin: 0.75rem 0 0;
        }
        dt { color: var(--soft); }
        dd { margin: 0; text-align: right; min-width: 0; }
        dl.wide dd { text-align: left; }
        dl.lost { grid-template-columns: 1fr; }
        dl.lost dt { white-space: pre-line; border-left: 2px solid var(--rule); padding-left: 0.75rem; }
        dl.lost dd { margin-bottom: 0.75rem; padding-left: 0.9rem; }
        .card dl { font-size: 0.9rem; }
        .card svg.plot { max-width: 22rem; }
        header p { max-width: none; }
        figcaption { margin-top: 0.75rem; }
        svg.plot { display: block; width: 100%; height: auto; font-size: 11px; }
        .scroll { overflow-x: auto; margin: 1rem 0; }
        .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--leaf); }
        table { border-collapse: collapse; font-size: 0.9375rem; }
        caption { text-align: left; padding-bottom: 0.5rem; }
        caption span { display: block; max-width: calc(100vw - 3.5rem); }
        th, td {
          text-align: right; padding: 0.4rem 0 0.4rem 1.5rem; border-bottom: 1px solid var(--rule);
          font-weight: 400; white-space: nowrap;
        }
        thead th { color: var(--soft); font-size: 0.8125rem; vertical-align: bottom; }
        th:first-child { text-align: left; padding-left: 0; }
        tr.own th, tr.own td { font-weight: 600; }
        pre {
          background: var(--bare); border-radius: 8px; padding: 1rem; margin: 0.5rem 0 1.25rem;
          overflow-x: auto; font-size: 0.8125rem; line-height: 1.55;
        }
        code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
        code { font-size: 0.875em; overflow-wrap: anywhere; }
        pre code { font-size: inherit; overflow-wrap: normal; }
        details { margin: 1rem 0; }
        summary { cursor: pointer; color: var(--leaf); font-size: 0.9375rem; }
        li { margin-bottom: 0.5rem; }
        .legend {
          display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; padding: 0;
          margin: 0.75rem 0 0;
        }
        .legend li { margin: 0; }
        .legend svg { vertical-align: -2px; }
        .tick { fill: var(--soft); }
        .axis-title { fill: var(--soft); font-weight: 600; }
        .grid { stroke: var(--rule); }
        .axis { stroke: var(--twig); }
        .band { fill: var(--leaf-pale); }
        .line { fill: none; stroke: var(--leaf); stroke-width: 1.5; }
        .dot, .kept { fill: var(--leaf); }
        .gone { fill: var(--bare); stroke: var(--twig); stroke-width: 0.6; }
        .hollow { fill: none; stroke: var(--ink); stroke-width: 1.3; }
        .dominated { fill: var(--sheet); stroke: var(--warn); stroke-width: 1.3; }
        .target { stroke: var(--ink); stroke-width: 1.5; }
        .flops { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 4; }
        .dense { fill: var(--sheet); stroke: var(--ink); stroke-width: 1.8; }
        .series { fill: var(--c); stroke: var(--c); }
        .series polyline { fill: none; stroke-width: 1.5; stroke-opacity: 0.55; }
        .s0 { --c: var(--leaf); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); }
        .s3 { --c: var(--s3); } .s4 { --c: var(--s4); } .s5 { --c: var(--s5); }
        .s0 polyline { stroke-width: 2.2; stroke-opacity: 1; }
        .p0 { --c: var(--s2); } .p1 { --c: var(--s1); }
        .p0 polyline, .p1 polyline { stroke-dasharray: 5 4; stroke-opacity: 0.9; }
        dl.sides {
          grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr));
          margin-bottom: 1.5rem;
        }
        dl.sides dd { text-align: left; }
        mark { background: none; color: inherit; text-decoration: underline dotted; }
        footer { margin-top: 3rem; color: var(--soft); font-size: 0.875rem; }
        @media (max-width: 34rem) {
          main { padding: 1rem 1rem 3rem; }
          h1 { font-size: 1.3rem; }
          .claim { font-size: 1.25rem; }
          .card, figure { padding: 1rem; }
          th, td { padding-left: 1rem; }
          dl.wide { grid-template-columns: 1fr; gap: 0; }
          dl.wide dd { margin-bottom: 0.6rem; }
        }
        @media print {
          :root {
            color-scheme: light;
            --paper: #ffffff; --sheet: #ffffff; --ink: #000000; --soft: #444444; --rule: #cccccc;
            --leaf: #22592f; --leaf-pale: #d5e6d7; --bare: #f4f4f0; --twig: #999999;
            --warn: #7d4e00; --s1: #9a5b10; --s2: #2f64a0; --s3: #87417c; --s4: #5d6670;
            --s5: #a33b3b;
          }
          html { font-size: 13px; }
          body { font-size: 1rem; }
          main { max-width: none; padding: 0; }
          section { margin-top: 1.5rem; padding-top: 1rem; }
          .answers { grid-template-columns: 1fr 1.15fr; }
          .card, figure, tr, pre, svg.plot, dl.sides > div { break-inside: avoid; }
          figure:has(details) { break-inside: auto; }
          h2, h3, caption, summary, p:has(+ dl.sides) { break-after: avoid; }
          section:not(.decision) table { break-inside: avoid; }
          .scroll, pre { overflow: visible; }
          pre { white-space: pre-wrap; }
          th, td { white-space: normal; padding: 0.2rem 0 0.2rem 0.9rem; }
          details::details-content { content-visibility: visible; block-size: auto; }
          summary { list-style: none; color: var(--ink); font-weight: 600; }
        }
        """
}
