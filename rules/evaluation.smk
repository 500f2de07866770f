# ratings → scores, and what learning did besides: knowledge and safety.


rule scores:
    input:
        paths.all_scores(),
        paths.all_judges(),
        paths.side_effects(),


rule score:
    input:
        ratings=lambda wildcards: paths.study_ratings(wildcards.player, experiment.evaluations[wildcards.evaluation]),
        policies=lambda wildcards: paths.manifests([wildcards.player]),
        tasks=lambda wildcards: paths.tasks(experiment.evaluations[wildcards.evaluation].tasks),
        prompts=here([experiment.prompts.rating, experiment.prompts.turn]),
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


rule compare_judges:
    input:
        lambda wildcards: paths.judges_inputs(wildcards.evaluation),
    output:
        f"{results}/judges/{{evaluation}}.json",
    log:
        f"{results}/logs/judges/{{evaluation}}.log",
    benchmark:
        f"{results}/timings/judges/{{evaluation}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.judges(experiment, wildcards.evaluation),
        code=code_hash("judges"),
        experiment=paths.resolved,
    message:
        "compare the judges of {wildcards.evaluation}"
    shell:
        "python $PARLEY/scripts/judges.py --experiment {params.experiment} --evaluation {wildcards.evaluation} "
        "--out {output} --log {log}"


rule knowledge:
    input:
        policy=f"{results}/policies/{{policy}}.json",
        adapters=lambda wildcards: folders_of([wildcards.policy]),
        checkpoints=lambda wildcards: here(paths.checkpoints([wildcards.policy])),
        test=here(paths.knowledge_files()),
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
        adapters=adapters_for(lambda wildcards: [wildcards.policy]),
        experiment=paths.resolved,
    message:
        "test the knowledge of {wildcards.policy}"
    shell:
        "python $PARLEY/scripts/knowledge.py --experiment {params.experiment} --policy {wildcards.policy} "
        "{params.adapters} --out {output} --log {log}"


rule compare_knowledge:
    input:
        policy=f"{results}/knowledge/{{policy}}.json",
        baseline=paths.knowledge(paths.baseline),
    output:
        f"{results}/knowledge/{{policy}}.versus_{paths.baseline}.json",
    log:
        f"{results}/logs/knowledge/{{policy}}.versus.log",
    benchmark:
        f"{results}/timings/knowledge/{{policy}}.versus.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.noninferiority(experiment) if experiment.knowledge else "",
        code=code_hash("noninferiority"),
        experiment=paths.resolved,
    message:
        "compare the knowledge of {wildcards.policy} with the base policy's"
    shell:
        "python $PARLEY/scripts/noninferiority.py --experiment {params.experiment} --result {input.policy} "
        "--baseline {input.baseline} --out {output} --log {log}"


rule judgements:
    input:
        paths.all_judgements(),


rule judge:
    input:
        episodes=f"{results}/episodes/{{task_set}}/{{players}}/{{shard}}.jsonl",
        tasks=f"{results}/tasks/{{task_set}}/{{shard}}.jsonl",
        characters=here([experiment.world.characters]),
        prompts=here([experiment.prompts.safety, experiment.prompts.retry]),
    output:
        judgements=f"{results}/judgements/{{task_set}}/{{players}}/{{judge}}/{{shard}}.jsonl",
        usage=f"{results}/usage/judgements/{{task_set}}/{{players}}/{{judge}}/{{shard}}.json",
    log:
        f"{results}/logs/judgements/{{task_set}}/{{players}}/{{judge}}/{{shard}}.log",
    benchmark:
        f"{results}/timings/judgements/{{task_set}}/{{players}}/{{judge}}/{{shard}}.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cores_for([wildcards.judge]) - waits(wildcards.judge)
    resources:
        mem_mb=lambda wildcards, attempt: memory(1200, attempt, [wildcards.judge]),
        runtime=lambda wildcards, input, attempt: (
            minutes(needs.count(input.episodes), attempt, [wildcards.judge]) + longest_wait(wildcards.judge)
        ),
        cpus_per_task=lambda wildcards: cores_for([wildcards.judge]),
        waiting=lambda wildcards: waits(wildcards.judge),
        gpu=lambda wildcards: gpus_for([wildcards.judge]),
    params:
        cfg=lambda wildcards: staleness.judgements(experiment, wildcards.judge),
        code=code_hash("judgements"),
        experiment=paths.resolved,
    message:
        "judge the safety of {wildcards.players} on {wildcards.task_set} {wildcards.shard}, by {wildcards.judge}"
    shell:
        "python $PARLEY/scripts/judgements.py --experiment {params.experiment} --judge {wildcards.judge} "
        "--episodes {input.episodes} --tasks {input.tasks} "
        "--ledger ledger/judgements/{wildcards.task_set}/{wildcards.players}/{wildcards.judge}/{wildcards.shard}.sqlite "
        "--usage {output.usage} --out {output.judgements} --log {log}"


rule safety:
    input:
        episodes=lambda wildcards: paths.study_episodes(wildcards.player, experiment.safety),
        judgements=lambda wildcards: paths.study_judgements(wildcards.player),
        ratings=lambda wildcards: paths.study_ratings(wildcards.player, experiment.safety),
        policies=lambda wildcards: paths.manifests([wildcards.player]),
        tasks=lambda wildcards: paths.tasks(experiment.safety.tasks),
        lexicon=here([experiment.safety.lexicon] if experiment.safety else []),
    output:
        table=f"{results}/safety/{{player}}.json",
        seats=f"{results}/safety/{{player}}.seats.jsonl",
        families=f"{results}/safety/{{player}}.families.json",
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
        "--episodes {input.episodes} --tasks {input.tasks} --judgements {input.judgements} "
        "--ratings {input.ratings} --manifests {input.policies} --out {output.table} --seats {output.seats} "
        "--families {output.families} --log {log}"
