# ratings and studies → the paper's tables, each beside the published numbers where the config says that it is the paper's.


rule tables:
    input:
        paths.all_tables(),


# Targets to type: table_1, …, figure_4.
for table in layout.TABLES:

    rule:
        name:
            table
        input:
            [*paths.table_files(table), *(paths.figure_4() if table == "figure_4" else [])],


rule tabulate:
    input:
        lambda wildcards: paths.table_inputs(wildcards.table),
    output:
        csv=report(
            f"{results}/tables/{{table}}.csv",
            caption="../captions/table.rst",
            category="The paper's tables",
            labels={"table": "{table}"},
        ),
        md=f"{results}/tables/{{table}}.md",
        tex=f"{results}/tables/{{table}}.tex",
    log:
        f"{results}/logs/tables/{{table}}.log",
    benchmark:
        f"{results}/timings/tables/{{table}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.tables(experiment, wildcards.table),
        code=code_hash("tables"),
        experiment=paths.resolved,
    message:
        "make {wildcards.table} of the paper"
    shell:
        "python $PARLEY/scripts/tables.py --experiment {params.experiment} --table {wildcards.table} --out {output.csv} "
        "--log {log}"


rule draw:
    input:
        f"{results}/tables/figure_4.csv",
    output:
        svg=report(
            f"{results}/tables/figure_4.svg",
            caption="../captions/figure.rst",
            category="The paper's tables",
            labels={"table": "figure_4, drawn"},
        ),
        pdf=f"{results}/tables/figure_4.pdf",
    log:
        f"{results}/logs/tables/figure_4.drawing.log",
    benchmark:
        f"{results}/timings/tables/figure_4.drawing.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=staleness.figure(experiment),
        code=code_hash("figure_4"),
        experiment=paths.resolved,
    message:
        "draw figure_4 of the paper"
    shell:
        "python $PARLEY/scripts/figure_4.py --experiment {params.experiment} --cells {input} --out {output.svg} --log {log}"
