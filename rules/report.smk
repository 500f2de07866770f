# everything → one page.


rule report:
    input:
        page=report_page,


rule page:
    input:
        scores=paths.all_scores(),
        judges=paths.all_judges(),
        canary=paths.all_canaries(),
        side_effects=paths.side_effects(),
        seats=paths.all_seats(),
        tables=[paths.table(name) for name in layout.TABLES],
        knowledge=paths.all_knowledge_versus(),
        ratings=paths.all_ratings(),
        policies=paths.all_policies(),
        selections=paths.all_selections(),
        usage=paths.all_usage(),
        tasks=paths.all_tasks(),
        characters=experiment.world.characters,
        templates=paths.report_templates(),
    output:
        report_page,
    log:
        f"{results}/logs/report.log",
    benchmark:
        f"{results}/timings/report.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        cfg=staleness.report(experiment),
        code=code_hash("report"),
        experiment=paths.resolved,
    message:
        "write the report"
    shell:
        "python $PARLEY/scripts/report.py --experiment {params.experiment} --out {output} --log {log}"
