# everything → one page.


rule report:
    input:
        page=report_page,


rule page:
    input:
        scores=paths.all_scores(),
        side_effects=paths.side_effects(),
        ratings=paths.all_ratings(),
        policies=paths.all_policies(),
        templates=paths.report_templates(),
    output:
        report_page,
    log:
        results + "/logs/report.log",
    benchmark:
        results + "/timings/report.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        cfg=staleness.report(experiment),
        code=code_hash("report"),
        experiment=paths.resolved,
        results=results,
        scripts=scripts,
    message:
        "write the report"
    shell:
        "python {params.scripts}/report.py --experiment {params.experiment} --results {params.results} "
        "--out {output} --log {log}"
