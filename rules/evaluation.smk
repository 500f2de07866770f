# ratings → scores, and what learning did besides: knowledge and safety.


rule scores:
    input:
        paths.all_scores(),
        paths.side_effects(),


rule score:
    input:
        ratings=lambda wildcards: paths.study_ratings(wildcards.player, experiment.evaluations[wildcards.evaluation]),
        policies=lambda wildcards: paths.manifests([wildcards.player]),
        tasks=lambda wildcards: paths.tasks(experiment.evaluations[wildcards.evaluation].tasks),
        prompts=[experiment.prompts.rating, experiment.prompts.turn],
    output:
        f"{results}/scores/{{player}}/{{evaluation}}.parquet",
    log:
        f"{results}/logs/scores/{{player}}/{{evaluation}}.log",
    benchmark:
        f"{results}/timings/scores/{{player}}/{{evaluation}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.scores(experiment, wildcards.player, wildcards.evaluation),
        code=code_hash("scores"),
        experiment=paths.resolved,
    message:
        "score {wildcards.player} on {wildcards.evaluation}"
    shell:
        "python $PARLEY/scripts/scores.py --experiment {params.experiment} --player {wildcards.player} "
        "--evaluation {wildcards.evaluation} --ratings {input.ratings} --tasks {input.tasks} "
        "--manifests {input.policies} --out {output} --log {log}"


rule compare:
    input:
        ratings=lambda wildcards: paths.study_ratings(wildcards.player, experiment.evaluations[wildcards.evaluation]),
        baseline=lambda wildcards: paths.study_ratings(paths.baseline, experiment.evaluations[wildcards.evaluation]),
        tasks=lambda wildcards: paths.tasks(experiment.evaluations[wildcards.evaluation].tasks),
    output:
        f"{results}/scores/{{player}}/{{evaluation}}.versus_{paths.baseline}.parquet",
    log:
        f"{results}/logs/scores/{{player}}/{{evaluation}}.versus.log",
    benchmark:
        f"{results}/timings/scores/{{player}}/{{evaluation}}.versus.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.scores(experiment, wildcards.player, wildcards.evaluation),
        code=code_hash("scores"),
        baseline=paths.baseline,
        experiment=paths.resolved,
    message:
        "compare {wildcards.player} with {params.baseline} on {wildcards.evaluation}"
    shell:
        "python $PARLEY/scripts/scores.py --experiment {params.experiment} --player {wildcards.player} "
        "--evaluation {wildcards.evaluation} --ratings {input.ratings} --tasks {input.tasks} "
        "--baseline {params.baseline} --baseline-ratings {input.baseline} --out {output} --log {log}"


rule knowledge:
    input:
        policy=f"{results}/policies/{{policy}}.json",
        checkpoints=lambda wildcards: paths.checkpoints([wildcards.policy]),
        questions=[experiment.knowledge.test, experiment.knowledge.dev] if experiment.knowledge else [],
    output:
        f"{results}/knowledge/{{policy}}.json",
    log:
        f"{results}/logs/knowledge/{{policy}}.log",
    benchmark:
        f"{results}/timings/knowledge/{{policy}}.tsv"
    conda:
        "../envs/knowledge.yaml"
    threads: lambda wildcards: cores_for([wildcards.policy])
    resources:
        mem_mb=lambda wildcards, attempt: memory(2700, attempt, [wildcards.policy]),
        runtime=lambda wildcards, attempt: needs.grown(240, attempt),
        gpu=lambda wildcards: gpus_for([wildcards.policy]),
    params:
        cfg=lambda wildcards: staleness.knowledge(experiment, wildcards.policy),
        code=code_hash("knowledge"),
        adapters=lambda wildcards: adapters_of([wildcards.policy]),
        experiment=paths.resolved,
    message:
        "test the knowledge of {wildcards.policy}"
    shell:
        "python $PARLEY/scripts/knowledge.py --experiment {params.experiment} --policy {wildcards.policy} "
        "{params.adapters} --out {output} --log {log}"


rule safety:
    input:
        episodes=lambda wildcards: paths.study_episodes(wildcards.player, experiment.safety),
        policies=lambda wildcards: paths.manifests([wildcards.player]),
        tasks=lambda wildcards: paths.tasks(experiment.safety.tasks),
        lexicon=experiment.safety.lexicon if experiment.safety else [],
    output:
        f"{results}/safety/{{player}}.json",
    log:
        f"{results}/logs/safety/{{player}}.log",
    benchmark:
        f"{results}/timings/safety/{{player}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.safety(experiment, wildcards.player),
        code=code_hash("safety"),
        experiment=paths.resolved,
    message:
        "study the safety of {wildcards.player}"
    shell:
        "python $PARLEY/scripts/safety.py --experiment {params.experiment} --player {wildcards.player} "
        "--episodes {input.episodes} --tasks {input.tasks} "
        "--manifests {input.policies} --out {output} --log {log}"
