# Parley: an experiment in social learning as one graph of files.
#
#   tasks → episodes → ratings → selection → dataset → adapter → scores → report
#
# `snakemake --cores all` builds the report of config.yaml; `--configfile configs/….yaml` takes another experiment
# instead. Targets to type: tasks, episodes, ratings, policies, scores, tables (or one: table_1, …, figure_4), report,
# figures; results/{experiment}/policies/{policy}; results/{experiment}/scores/{policy}/{evaluation}.parquet.
# `snakemake --cores 1 estimate` tells what a run would cost, `power` what it could find, `status` how far one is;
# `PARLEY_SOTOPIA=hub snakemake --cores 1 sotopia` brings in the real SOTOPIA tasks.


# A --configfile replaces the default experiment; Snakemake would merge the two.
if not workflow.config_settings.configfiles:

    configfile: "config.yaml"


# What `snakemake --report` says first.
report: "captions/workflow.rst"


include: "rules/common.smk"
include: "rules/tasks.smk"
include: "rules/episodes.smk"
include: "rules/ratings.smk"
include: "rules/learning.smk"
include: "rules/evaluation.smk"
include: "rules/human.smk"
include: "rules/calibration.smk"
include: "rules/tables.smk"
include: "rules/report.smk"
include: "rules/estimate.smk"
include: "rules/power.smk"
include: "rules/status.smk"
include: "rules/exchange.smk"
include: "rules/hub.smk"


rule all:
    default_target: True
    input:
        paths.everything(),


onstart:
    hold_results()
    cutoff.watch(workflow.dag, logger.info)
