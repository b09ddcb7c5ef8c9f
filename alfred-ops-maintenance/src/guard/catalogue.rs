//! The catalogue's words about every object.

/// The objects of the database, each with a hash of its definition, owner and rights. Objects of extensions are left out: the
/// extension's version stands for them.
///
/// Not compared are classes and families of operators, procedural languages, text search, foreign servers and mappings of
/// users, subscriptions, large objects, and comments on anything but tables and columns.
pub(super) const OBJECTS: &str = r#"
WITH spaces AS MATERIALIZED (
    SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
), members AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relations AS MATERIALIZED (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS name FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
), found (object, definition) AS (
    SELECT format('schema %I', nspname), concat_ws('|', nspowner::regrole,
        (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) a))
    FROM spaces
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'view ' ELSE 'table ' END || name,
        concat_ws('|', relkind, relowner::regrole, relpersistence, reloptions::text, relrowsecurity, relforcerowsecurity,
            relreplident, relispartition, pg_get_expr(relpartbound, oid), obj_description(oid, 'pg_class'),
            CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END,
            CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END,
            (SELECT string_agg(inhparent::regclass::text, ',' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = relations.oid),
            (SELECT string_agg(a::text, ',' ORDER BY a::text)
             FROM unnest(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))) a),
            (SELECT concat_ws(',', seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle)
             FROM pg_sequence WHERE seqrelid = relations.oid),
            (SELECT string_agg(concat(refobjid::regclass, '.', refobjsubid), ',') FROM pg_depend
             WHERE relkind = 'S' AND objid = relations.oid AND deptype IN ('a', 'i') AND refclassid = 'pg_class'::regclass))
    FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL
    SELECT format('column %s.%I', r.name, a.attname),
        concat_ws('|', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attacl::text,
            a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT 'columns of ' || r.name, string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE r.relkind IN ('r', 'p', 'f', 'c') GROUP BY r.name
    UNION ALL
    SELECT format('constraint %I of %s', c.conname, coalesce(r.name, c.contypid::regtype::text)),
        concat_ws('|', pg_get_constraintdef(c.oid), c.convalidated)
    FROM pg_constraint c JOIN spaces s ON s.oid = c.connamespace LEFT JOIN relations r ON r.oid = c.conrelid
    WHERE r.oid IS NOT NULL OR c.contypid <> 0
    UNION ALL
    SELECT 'index ' || r.name, concat_ws('|', pg_get_indexdef(r.oid), i.indisvalid, i.indisclustered, i.indisreplident)
    FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT format('function %s', p.oid::regprocedure), concat_ws('|', p.proowner::regrole,
        CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
        (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a))
    FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
    UNION ALL
    SELECT format('function %s', a.aggfnoid::regprocedure), (to_jsonb(a) - '{aggfnoid}'::text[] || jsonb_build_object(
        'aggtranstype', a.aggtranstype::regtype, 'aggmtranstype', a.aggmtranstype::regtype,
        'aggsortop', a.aggsortop::regoperator))::text
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN spaces s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
    UNION ALL
    SELECT format('operator %s', o.oid::regoperator), concat_ws('|', o.oprowner::regrole, o.oprresult::regtype,
        o.oprcanmerge, o.oprcanhash, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprcode, o.oprrest, o.oprjoin)
    FROM pg_operator o JOIN spaces s ON s.oid = o.oprnamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_operator'::regclass AND m.objid = o.oid)
    UNION ALL
    SELECT format('cast from %s to %s', c.castsource::regtype, c.casttarget::regtype),
        concat_ws('|', c.castfunc::regprocedure, c.castcontext, c.castmethod)
    FROM pg_cast c WHERE c.oid >= 16384
        AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_cast'::regclass AND m.objid = c.oid)
    UNION ALL
    SELECT format('collation %I.%I', s.nspname, c.collname), (to_jsonb(c) - '{oid,collnamespace}'::text[])::text
    FROM pg_collation c JOIN spaces s ON s.oid = c.collnamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_collation'::regclass AND m.objid = c.oid)
    UNION ALL
    SELECT format('publication %I', p.pubname), concat_ws('|', (to_jsonb(p) - '{oid}'::text[])::text,
        (SELECT string_agg(to_jsonb(t)::text, ',' ORDER BY t.schemaname, t.tablename) FROM pg_publication_tables t
         WHERE t.pubname = p.pubname))
    FROM pg_publication p
    UNION ALL
    SELECT format('trigger %I of %s', t.tgname, r.name), concat_ws('|', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('policy %I of %s', p.polname, r.name),
        concat_ws('|', p.polcmd, p.polpermissive, p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid),
            pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN relations r ON r.oid = p.polrelid
    UNION ALL
    SELECT format('rule %I of %s', w.rulename, r.name), concat_ws('|', pg_get_ruledef(w.oid), w.ev_enabled)
    FROM pg_rewrite w JOIN relations r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT format('type %I.%I', s.nspname, t.typname), concat_ws('|', t.typtype, t.typowner::regrole, t.typnotnull, t.typdefault,
        CASE WHEN t.typbasetype <> 0 THEN format_type(t.typbasetype, t.typtypmod) END,
        (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
    FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r') AND NOT EXISTS
        (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
    UNION ALL
    SELECT format('statistics %I.%I', s.nspname, x.stxname), pg_get_statisticsobjdef(x.oid)
    FROM pg_statistic_ext x JOIN spaces s ON s.oid = x.stxnamespace
    UNION ALL
    SELECT format('extension %I', extname), extversion FROM pg_extension
    UNION ALL
    SELECT format('event trigger %I', evtname), concat_ws('|', evtevent, evtfoid::regproc, evtenabled, evttags::text)
    FROM pg_event_trigger
    UNION ALL
    SELECT format('default rights of %s %s %s', defaclrole::regrole, defaclnamespace, defaclobjtype),
        (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(defaclacl) a)
    FROM pg_default_acl
)
SELECT object, md5(string_agg(coalesce(definition, ''), chr(10) ORDER BY definition)) FROM found GROUP BY object ORDER BY object
"#;
