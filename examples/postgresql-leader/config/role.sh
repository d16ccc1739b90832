role={{#if svc.me.leader}}primary{{else}}standby{{/if}}
primary_host={{svc.leader.sys.ip}}
primary_port={{svc.leader.cfg.port}}
