# everything → one page, and every episode to read; its figures as files for a paper where one asks for them.
from parley.report.inputs import reads

# What the page tells of, and so its figures.
told = {
    **{kind: here(files) for kind, files in reads(paths).items()},
    "logs": folders_of(paths.trained_policies()),
    "datasets": brought([paths.dataset(name, "manifest.json") for name in paths.trained_policies()]),
}


rule report:
    input:
        page=report_page,
        episodes=paths.report_episodes,


rule figures:
    input:
        paths.all_drawn(),


rule page:
    input:
        **told,
    output:
        page=report(
            report_page,
            caption="../captions/page.rst",
            category="The report",
            labels={"what": "the page"},
        ),
        episodes=report(
            directory(paths.report_episodes),
            caption="../captions/episodes.rst",
            category="The report",
            labels={"what": "every episode"},
            htmlindex="index.html",
        ),
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
        "python $PARLEY/scripts/report.py --experiment {params.experiment} --out {output.page} "
        "--episodes {output.episodes} --log {log}"


# Not in `rule all`: to put fonts into a dozen PDFs takes longer than all the rest of the report.
rule plot:
    input:
        **told,
    output:
        report(
            directory(paths.report_figures),
            patterns=["{name}.svg"],
            caption="../captions/figures.rst",
            category="Figures",
            labels={"figure": "{name}"},
        ),
    log:
        f"{results}/logs/figures.log",
    benchmark:
        f"{results}/timings/figures.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=staleness.report(experiment),
        code=code_hash("figures"),
        experiment=paths.resolved,
    message:
        "draw the page's figures for a paper"
    shell:
        "python $PARLEY/scripts/figures.py --experiment {params.experiment} --out {output} --log {log}"
