# What others have published → files of ours that a config may name.


# Only in a plan if it is asked for, or if a config names these files and they are not there. There are no inputs or
# params: what was brought in stays, wherever it came from, until it is asked for again (-R sotopia).
rule sotopia:
    output:
        characters=update(local("imported/sotopia/characters.jsonl")),
        relationships=update(local("imported/sotopia/relationships.jsonl")),
        tasks=update(local("imported/sotopia/tasks.jsonl")),
        safety=update(local("imported/sotopia/safety.jsonl")),
        leftovers=update(local("imported/sotopia/leftovers.jsonl")),
        provenance=update(local("imported/sotopia/provenance.json")),
    log:
        "imported/sotopia/import.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
        gpu=0,
    message:
        "bring in SOTOPIA's profiles"
    shell:
        "python $PARLEY/scripts/sotopia.py --log {log} import --out imported/sotopia"


# As rule sotopia. SOTOPIA's own tasks come first, so that nothing is written from what they were written from.
rule keywords:
    input:
        tasks=ancient(local("imported/sotopia/tasks.jsonl")),
    output:
        keywords=update(local("imported/keywords.jsonl")),
        provenance=update(local("imported/keywords.provenance.json")),
    log:
        "imported/keywords.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    message:
        "bring in keywords"
    shell:
        "python $PARLEY/scripts/keywords.py --log {log} --tasks {input.tasks} --out {output.keywords}"


# Here, where all is known that is brought in when it is missing.
try:
    check_files(experiment, {str(path) for path in (*rules.sotopia.output, *rules.keywords.output)})
except ParleyError as error:
    sys.exit(f"error: {error}")
